/* front/heap.h under the option checks: marks, hints, footers, fills; and that
 * nothing of that takes what is right for a fault */
#include "held_blocks.h"

#include <sys/mman.h>

#include "cpucache/cpu_cache.h"
#include "front/block.h"
#include "front/check.h"
#include "front/gate.h"
#include "front/quarantine.h"
#include "front/retire.h"
#include "front/ring.h"
#include "system/peek.h"

/* Without footers a size is refused that the block cannot hold. */
TEST(test_size_hints_are_bounded, NULL, done)
{
	char *block;

	option("checks=fast");
	heap_free_sized(block_alloc(100), 112);
	heap_free_sized(block_alloc(100), 1);
	block = block_alloc(100);
	assert_fault("free_sized of %p: size 113 given, block has 112", block,
		     heap_free_sized(block, 113));
	heap_free(block);
	block = block_alloc(300000);
	assert_fault("free_sized of %p: size 400000 given, block has 327680",
		     block, heap_free_sized(block, 400000));
	heap_free(block);
}

/* At an odd multiple of 64. */
static void alignment_is_checked(const char *text)
{
	char *a, *b, *block;

	option(text);
	a = heap_alloc_aligned(40, 64);
	b = heap_alloc_aligned(40, 64);
	block = (uintptr_t)a % 128 ? a : b;
	assert_int_not_equal((uintptr_t)block % 128, 0);
	assert_fault("free_aligned_sized of %p: alignment 128 given, "
		     "block has 64",
		     block, heap_free_aligned_sized(block, 128, 40));
	assert_fault("free_aligned_sized of %p: alignment 4096 given, "
		     "block has 64",
		     block, heap_free_aligned(block, 4096));
	heap_free_aligned(block, 64);
	heap_free(block == a ? b : a);
}

TEST(test_alignment_hints_are_checked, NULL, done)
{
	alignment_is_checked("checks=fast");
	alignment_is_checked("checks=full");
}

/* Of a slab that is gone since, the block is none. */
#define assert_freed(verb, block, ...)                                    \
	do {                                                              \
		fake_text_clear();                                        \
		assert_true(fake_aborts(__VA_ARGS__));                    \
		if (!message_is(verb " of %p: already free", block) &&    \
		    !message_is(verb " of %p: not a block", block))       \
			fail_msg("message: %s", fake_text());             \
	} while (0)

/* Two owners are seen however many frees came between, wherever the block
 * waits; what malloc hands out again is no suspect. */
TEST(test_marks_tell_of_freed_blocks, NULL, done)
{
	static const size_t tried[] = { 1, 100, 5000, 32768, 40000, 262144 };
	char *blocks[40];
	unsigned i, k;

	option("checks=fast");
	for (k = 0; k < sizeof(tried) / sizeof(tried[0]); k++) {
		for (i = 0; i < 40; i++)
			blocks[i] = block_alloc(tried[k]);
		for (i = 0; i < 39; i++)
			heap_free(blocks[i]);
		for (i = 0; i < 39; i += 19)
			assert_freed("free", blocks[i], heap_free(blocks[i]));
		assert_freed("realloc", blocks[4],
			     heap_realloc(blocks[4], 2 * tried[k]));
		assert_freed("malloc_usable_size", blocks[4],
			     heap_usable_size(blocks[4]));
		heap_purge(0);
		heap_free(blocks[39]);
	}
}

TEST(test_marks_of_live_blocks_mean_nothing, NULL, done)
{
	uint64_t *a, *b, magic = size_classes[size_class_of(64)].magic;

	option("checks=fast");
	for (unsigned i = 0; i < 1000; i++) {
		a = (uint64_t *)(void *)block_alloc(64);
		if (has_lanes())
			assert_int_not_equal(a[1], magic);
		b = heap_alloc_aligned(64, 64);
		a[1] = magic;
		b[1] = magic;
		assert_true(heap_usable_size(a) >= 64);
		heap_free(a);
		heap_free(b);
	}
}

/* What is back in its slab is seen without a mark, too. */
TEST(test_bits_tell_without_a_mark, NULL, done)
{
	char *kept, *block;

	option("checks=fast");
	kept = block_alloc(832);
	block = block_alloc(832);
	heap_free(block);
	heap_purge(0);
	((uint64_t *)(void *)block)[1] = 1;
	assert_freed("free", block, heap_free(block));
	heap_free(kept);
}

/* A pointer behind the slab's last object passes the arithmetic alone. */
TEST(test_checked_frees_know_the_slabs_end, NULL, done)
{
	char *block, *end;

	option("checks=fast");
	block = block_alloc(832);
	end = (char *)((uintptr_t)block & ~(UNIT_SIZE - 1)) + 39 * 832;
	assert_fault("free of %p: not a block", end, heap_free(end));
	heap_free(block);
}

/* checks=full: each byte behind the size asked for that is looked at. */
TEST(test_writes_behind_are_seen, NULL, done)
{
	static const size_t tried[] = { 0, 1, 97, 104, 1000, 40000, 300000 };
	size_t size;
	char *block;

	option("checks=full");
	for (unsigned k = 0; k < sizeof(tried) / sizeof(tried[0]); k++) {
		size = tried[k];
		block = block_alloc(size);
		block[size]++;
		assert_true(fake_aborts(heap_free(block)));
		assert_true(fake_aborts(heap_realloc(block, 2 * size + 9)));
		assert_true(fake_aborts(heap_usable_size(block)));
		assert_true(fake_aborts(heap_free_sized(block, size)));
		block[size]--;
		heap_free(block);
	}
	block = block_alloc(97);
	block[97] = 0;
	assert_fault("free of %p: written behind its 97 bytes", block,
		     heap_free(block));
	block_footer_set(block, &(struct block){ .size = 128 }, 97);
	memset(block + 120, 0x41, 8);
	assert_fault("free of %p: written behind its end", block,
		     heap_free(block));
	block_footer_set(block, &(struct block){ .size = 128 }, 97);
	heap_free(block);
}

/* A footer that reads as a size beyond the block is no size. */
TEST(test_damaged_footers_are_not_trusted, NULL, done)
{
	char *block;

	option("usable=requested");
	block = block_alloc(97);
	memset(block + 104, 0x41, 8);
	assert_fault("malloc_usable_size of %p: written behind its end", block,
		     heap_usable_size(block));
	assert_fault("realloc of %p: written behind its end", block,
		     heap_realloc(block, 500));
	block_footer_set(block, &(struct block){ .size = 112 }, 97);
	heap_free(block);
}

/* Any bytes over a footer that no slack stands before are seen, and no size is
 * made of them, wherever the block lies: also where the address has zeros. */
TEST(test_written_footers_are_no_sizes, NULL, done)
{
	char *blocks[300], *block, was[8];
	unsigned i, n;

	option("checks=full");
	for (i = 0; i < 300; i++)
		blocks[i] = block_alloc(96);
	for (i = 0; i < 300; i++) {
		block = blocks[i];
		n = i % 8 + 1;
		memcpy(was, block + 104, 8);
		memset(block + 104, 0x18 + (int)(i / 8), n);
		if (memcmp(was, block + 104, n))
			assert_fault("free of %p: written behind its end",
				     block, heap_free(block));
		memcpy(block + 104, was, 8);
	}
	for (i = 0; i < 300; i++)
		heap_free(blocks[i]);
}

/* checks=full: small blocks wait in their CPU's ring, larger ones and those of
 * a closed gate by bytes; without a quarantine none waits. */
static void waits_in_ring(size_t size, bool ring)
{
	char *block = block_alloc(size);
	size_t shared = quarantine_shared_size();

	heap_free(block);
	assert_int_equal(ring_has(block), ring);
	assert_int_equal(quarantine_shared_size() > shared,
			 !ring && config.quarantine);
}

TEST(test_small_blocks_wait_in_rings, NULL, done)
{
	option("checks=full");
	config.quarantine = (uint64_t)4 << 20;
	waits_in_ring(100, gate_is_open());
	waits_in_ring(20000, gate_is_open());
	waits_in_ring(40000, false);
	gate_close();
	waits_in_ring(100, false);
	gate_open();
	heap_quarantine_flush();
	assert_int_equal(quarantine_size(), 0);
	config.quarantine = 0;
	waits_in_ring(100, false);
}

/* checks=full: a free block that is not as it was when it was freed. */
static void write_freed(size_t size, size_t at)
{
	char *block = block_alloc(size), *held = block_alloc(size);
	char was;

	heap_free(block);
	was = block[at];
	block[at]++;
	fake_text_clear();
	assert_true(fake_aborts(for (;;) hold(block_alloc(size), size)));
	assert_true(message_is("malloc of %p: written to after it was freed",
			       block));
	block[at] = was;
	heap_free(block_alloc(1));
	cpu_cache_free_direct(block);
	heap_free(held);
	held_free();
}

TEST(test_writes_after_free_are_seen, NULL, done)
{
	option("checks=full,quarantine=0");
	write_freed(8, 0);
	write_freed(8, 15);
	write_freed(1000, 500);
	write_freed(1000, 1023);
	write_freed(5000, 0);
	write_freed(20000, 1000);
}

/* As others leave it while they change it: an entry that is half written,
 * memory that is inaccessible. */
TEST(test_a_check_beside_others, NULL, done)
{
	size_t size = 81970, whole = 81920;
	struct unit_tag *tag, was;
	struct block block;
	char *object, *run;

	option("checks=full");
	system_peek_start();
	object = block_alloc(100);
	page_map_find(object, &block);
	tag = &block.region->tags[block.unit];
	was = *tag;
	tag->size_class++;
	heap_check("check");
	*tag = was;
	run = block_alloc(size);
	assert_int_equal(mprotect(run, whole + 4096, PROT_NONE), 0);
	heap_check("check");
	assert_int_equal(mprotect(run, whole + 4096, PROT_READ | PROT_WRITE),
			 0);
	run[size] ^= 1;
	assert_fault("check of %p: written behind its 81970 bytes", run,
		     heap_check("check"));
	run[size] ^= 1;
	heap_free(run);
	heap_free(object);
}

static void check_beside(void)
{
	heap_check("check");
}

/* A check by another thread, while realloc moves the pages of a block whose
 * footer is on the last of them. */
TEST(test_a_check_beside_a_move, NULL, done)
{
	size_t size = ((size_t)4 << 20) + 100;
	char *run, *other;

	option("checks=full");
	system_peek_start();
	run = block_alloc(size);
	memset(run, 'x', size);
	other = block_alloc(size); /* so that it cannot grow in place */
	fake.after_move = check_beside;
	run = heap_realloc(run, 3 * size);
	fake.after_move = NULL;
	assert_int_not_equal(fake_calls(FAKE_MOVE), 0);
	assert_int_equal(run[0], 'x');
	assert_int_equal(run[size - 1], 'x');
	heap_free(run);
	heap_free(other);
}

/* Blocks of all sizes, of lives that differ, and what was written to them:
 * none of it is taken for a write after a free. */
TEST(test_old_contents_are_no_fault, NULL, done)
{
	option("checks=full");
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 200; i++)
			hold(heap_alloc((round * 977 + i * 131) % 40000),
			     (round * 977 + i * 131) % 40000);
		held_free();
		if (round % 3 == 0)
			heap_purge(0);
	}
}

TEST_MAIN(heap_setup_pinned, NULL)
