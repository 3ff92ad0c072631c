/* heap_blocks: operations of the program: blocks come, change and go */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "blocks.h"
#include "front/block.h"
#include "front/gate.h"
#include "heap.h"
#include "interrupt.h"
#include "names.h"
#include "pageheap/region.h"
#include "system/config.h"
#include "world.h"

#define ERRNO_NONE 4242 /* nobody stores this */
#define NR_BURST_MOST 96
#define BURST_SIZE_MOST (8 * MIB)  /* bytes that one operation asks for */
#define LIVE_SIZE_MOST (64 * MIB) /* bytes of all blocks; all are touched */

enum way { MALLOC, CALLOC, ALIGNED, MEMALIGN, POSIX, VALLOC, PVALLOC, REALLOC,
	   NR_WAYS };

/* One request; align and size as the program names them. */
struct request {
	enum way way;
	size_t size;
	size_t align;
};

static unsigned long nr_failures_before;

void heap_may_fail_begin(void)
{
	nr_failures_before = world.nr_failures;
}

bool heap_may_have_failed(size_t size)
{
	return world.nr_failures != nr_failures_before ||
	       world.address_limit || size > 1024 * MIB ||
	       interrupt_depth() > 1 || interrupt_nr_deaths();
}

/* Around an object size; the library's own table is not filled at first. */
static size_t size_at_class(void)
{
#define OBJECT_SIZE(size, units, slots) size,
	static const size_t sizes[] = { 0, SIZE_CLASSES(OBJECT_SIZE) };
#undef OBJECT_SIZE
	unsigned size_class = 1 + input_below(NR_FIXED_CLASSES - 1);

	return sizes[size_class] + 1u - input_below(3);
}

static size_t size_of_units(void)
{
	unsigned n = input_short();
	size_t units = n % 512 < 400 ? n % 64 + 1 : n % 2000 + 1;

	return units * UNIT_SIZE + 8 - n % 17;
}

static size_t size_huge(void)
{
	static const size_t sizes[] = {
		PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 15,
		SIZE_MAX / 2 - 4096, (size_t)1 << 46, (size_t)1 << 40,
		REGION_SIZE_MOST - UNIT_SIZE,
	};

	return sizes[input_below(sizeof(sizes) / sizeof(sizes[0]))] -
	       input_below(3);
}

size_t heap_read_size(void)
{
	unsigned how = input_byte();

	if (how < 96)
		return (size_t)how * 11;
	if (how < 144)
		return size_at_class();
	if (how < 192)
		return input_short();
	if (how < 216)
		return size_of_units();
	if (how < 232)
		return (size_t)input_short() * 1021 % (24 * MIB);
	if (how < 240)
		return (size_t)(input_below(32) + 1) * 4 * MIB - how % 5;
	if (how < 246)
		return size_huge();
	return how - 246;
}

static size_t read_align(void)
{
	unsigned n = input_byte();
	size_t align = (size_t)1 << n % 28;

	if (n >= 240)
		align = (size_t)1 << (n - 240 + 48);
	else if (n >= 224)
		align += n; /* no power of two */
	return n == 223 ? 0 : align;
}

static void *ask_posix(const struct request *r)
{
	void *block = NULL;
	int result = fuzz_posix_memalign(&block, r->align, r->size);

	must(!result == !!block);
	must(errno == ERRNO_NONE);
	errno = result ? result : ERRNO_NONE;
	return block;
}

static void *ask(const struct request *r)
{
	switch (r->way) {
	case CALLOC:
		return r->size % 3 ? fuzz_calloc(1, r->size) :
				     fuzz_calloc(r->size / 3, 3);
	case ALIGNED:
		return fuzz_aligned_alloc(r->align, r->size);
	case MEMALIGN:
		return fuzz_memalign(r->align, r->size);
	case POSIX:
		return ask_posix(r);
	case VALLOC:
		return fuzz_valloc(r->size);
	case PVALLOC:
		return fuzz_pvalloc(r->size);
	case REALLOC:
		return fuzz_realloc(NULL, r->size);
	default:
		return fuzz_malloc(r->size);
	}
}

static bool is_bad_align(const struct request *r)
{
	if (r->way == ALIGNED)
		return !is_power_of_two(r->align);
	if (r->way == POSIX)
		return !is_power_of_two(r->align) || r->align % sizeof(void *);
	return r->way == MEMALIGN && r->align > SIZE_MAX / 2 + 1;
}

/* The alignment that the block must have; 16 always. */
static size_t align_due(const struct request *r)
{
	size_t align = 16;

	if (r->way == VALLOC || r->way == PVALLOC)
		return world.page;
	if (r->way == ALIGNED || r->way == MEMALIGN || r->way == POSIX)
		while (align < r->align)
			align *= 2;
	return align;
}

/* Usable bytes at least; what is in use without its footer is more. */
static size_t size_due(const struct request *r)
{
	return r->way == PVALLOC ? round_up(r->size, world.page) : r->size;
}

/* The reason to fail; errno must name it. */
static void check_refusal(const struct request *r)
{
	size_t align = r->way < VALLOC && r->way >= ALIGNED ? r->align : 16;

	if (is_bad_align(r)) {
		must(errno == EINVAL);
		return;
	}
	must(errno == ENOMEM);
	must(align > 1024 * MIB || heap_may_have_failed(r->size));
}

static size_t usable_of(void *block)
{
	uint64_t paused = interrupt_pause();
	size_t usable = fuzz_malloc_usable_size(block);
	struct block found;

	block_find(block, "fuzz", &found);
	must(usable + block_footer_size() <= found.size);
	if (!block_footer_size())
		must(usable == found.size);
	if (found.kind == BLOCK_OBJECT)
		must(found.size == size_classes[found.size_class].size);
	interrupt_resume(paused);
	return usable;
}

static void take_in(void *block, size_t least, size_t align)
{
	size_t usable = usable_of(block);

	must(usable >= least);
	if (block_footer_size())
		must(usable == least);
	if (!blocks_add(block, usable, align))
		fuzz_free(block);
}

static bool request_once(const struct request *r)
{
	void *block;

	heap_may_fail_begin();
	errno = ERRNO_NONE;
	block = ask(r);
	if (!block) {
		check_refusal(r);
		return false;
	}
	must(errno == ERRNO_NONE);
	must(!is_bad_align(r) && r->size <= (size_t)PTRDIFF_MAX);
	if (r->way == CALLOC)
		blocks_check_zero(block, r->size);
	take_in(block, size_due(r), align_due(r));
	return true;
}

/* More than the machine should have to give; what is beyond all bounds is
 * refused anyhow. */
static bool is_too_much(size_t size)
{
	return size < (size_t)1 << 39 && size + blocks_size() > LIVE_SIZE_MOST;
}

static void request(enum way way)
{
	unsigned n = 1 + input_below(NR_BURST_MOST);
	struct request r = { .way = way, .align = 16 };

	if (way == NR_WAYS) {
		r.way = (enum way)(ALIGNED + input_below(NR_WAYS - ALIGNED));
		r.align = read_align();
	}
	r.size = heap_read_size();
	if (is_too_much(r.size))
		return;
	n = (unsigned)min_size(n, 1 + BURST_SIZE_MOST / max_size(r.size, 64));
	if (r.align > MIB)
		n = 1;
	while (n-- && request_once(&r))
		;
}

static void do_malloc(void)
{
	request(MALLOC);
}

static void do_calloc(void)
{
	request(CALLOC);
}

static void do_aligned(void)
{
	request(NR_WAYS);
}

static void free_slot(unsigned slot, unsigned way)
{
	struct held block = blocks_remove(slot);

	blocks_scribble(&block);
	errno = ERRNO_NONE;
	if (way == 1)
		fuzz_free_sized(block.at, block.size);
	else if (way == 2)
		fuzz_free_aligned_sized(block.at, 16, block.size);
	else if (way == 3)
		fuzz_cfree(block.at);
	else if (way == 4)
		must(!fuzz_realloc(block.at, 0));
	else
		fuzz_free(block.at);
	must(errno == ERRNO_NONE);
}

/* From a slot on, every so many-th block, up or down the table. */
static void do_free(void)
{
	unsigned slot = input_short(), n = 1 + input_below(NR_BURST_MOST);
	unsigned how = input_byte(), step = 1 + how / 8 % 4;

	if (how & 1)
		step = NR_BLOCKS - step;
	for (; n--; slot += step) {
		slot = blocks_next(slot % NR_BLOCKS);
		if (slot == NR_BLOCKS)
			return;
		free_slot(slot, how % 16 < 2 ? how / 32 : 0);
	}
}

/* A block up to its usable size stays, unless it is twice too large. */
static bool must_stay(const struct held *from, size_t size)
{
	return !block_footer_size() && size <= from->size &&
	       size > from->size / 2;
}

static void realloc_slot(unsigned slot, size_t size)
{
	struct held from = blocks_remove(slot);
	char *to;

	heap_may_fail_begin();
	errno = ERRNO_NONE;
	to = fuzz_realloc(from.at, size);
	if (!size) {
		must(!to && errno == ERRNO_NONE);
		return;
	}
	if (!to) {
		must(errno == ENOMEM);
		must(size > from.size && heap_may_have_failed(size));
		to = from.at;
		size = from.size;
	}
	if (must_stay(&from, size))
		must(to == from.at);
	blocks_check_bytes(to, min_size(from.size, size), &from);
	take_in(to, size, 16);
}

static void do_realloc(void)
{
	unsigned slot = blocks_next(input_short() % NR_BLOCKS);
	size_t size = heap_read_size();

	if (slot != NR_BLOCKS && !is_too_much(size))
		realloc_slot(slot, size);
}

/* Grows or shrinks a block in steps. */
static void do_realloc_steps(void)
{
	unsigned slot = blocks_next(input_short() % NR_BLOCKS);
	unsigned n = 1 + input_below(8), how = input_byte();
	size_t size, step = (size_t)(how % 32 + 1) * 3 * UNIT_SIZE / 2;

	for (; n-- && slot != NR_BLOCKS && blocks[slot].at; ) {
		size = blocks[slot].size;
		if (how & 128)
			size = size > step ? size - step : size / 2 + 1;
		else
			size += step;
		if (is_too_much(size))
			return;
		realloc_slot(slot, size);
	}
}

/* To a size near the usable one. */
static void do_realloc_near(void)
{
	unsigned slot = blocks_next(input_short() % NR_BLOCKS);
	unsigned how = input_byte();

	if (slot != NR_BLOCKS && blocks[slot].size + how >= 8)
		realloc_slot(slot, blocks[slot].size + how % 16 - 8 +
					   (how & 128 ? how : 0));
}

static void do_usable(void)
{
	unsigned slot = blocks_next(input_short() % NR_BLOCKS);
	uint64_t paused = interrupt_pause(); /* others might free the block */

	must(!fuzz_malloc_usable_size(NULL));
	if (slot != NR_BLOCKS)
		must(fuzz_malloc_usable_size(blocks[slot].at) ==
		     blocks[slot].size);
	interrupt_resume(paused);
}

/* More address space than memory: nobody touches it. */
static void do_giant(void)
{
	size_t size = ((size_t)1 << 30) + ((size_t)input_below(8) << 29);
	char *block = fuzz_malloc(size);

	if (block)
		blocks_check_dead(block, size);
	fuzz_free(block);
}

static void do_overflow(void)
{
	size_t nr = (size_t)1 << (33 + input_below(31));

	errno = ERRNO_NONE;
	must(!fuzz_calloc(nr, (size_t)1 << 31) && errno == ENOMEM);
	errno = ERRNO_NONE;
	must(!fuzz_pvalloc(SIZE_MAX - input_byte()) && errno == ENOMEM);
	errno = ERRNO_NONE;
	fuzz_free(NULL);
	must(errno == ERRNO_NONE);
}

/* Blocks of the process's own malloc come in by mistake. The library looks at
 * them page by page, and larger pages than the kernel's reach beyond the end of
 * that malloc's memory. */
static void do_foreign(void)
{
	size_t size = 1 + input_byte();
	char *block;

	if (world.page > (size_t)sysconf(_SC_PAGESIZE))
		return;
	block = malloc(size);
	must(block);
	memset(block, 0x5a, size);
	if (size % 3 == 0) {
		block = fuzz_realloc(block, 2 * size);
		must(block && block[size - 1] == 0x5a);
	}
	fuzz_free(block);
}

heap_operation *const heap_block_operations[] = {
	do_malloc, do_calloc, do_aligned,	do_free,
	do_free,   do_free,   do_realloc_steps, do_realloc,
	do_realloc_near,      do_malloc,	do_usable,
	do_overflow,	      do_foreign,	do_giant,
};
const unsigned nr_heap_block_operations =
	sizeof(heap_block_operations) / sizeof(heap_block_operations[0]);
