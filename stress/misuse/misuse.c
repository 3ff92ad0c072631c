/* misuse: a program that misuses the heap in one way, which its argument names
 *
 *	misuse KIND	does it, says "went on", works on and exits with 0;
 *			"harmless" before that where what it read so was no
 *			secret of anybody's
 *	misuse --list	prints the kinds, "name: what it does" on each line
 *
 * What the allocator makes of it is for misuse.py to see. After the misuse the
 * program works on with the heap, so that what is found late is found, too.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NR_BLOCKS 2000

static void *blocks[NR_BLOCKS];
static char statics[256] __attribute__((aligned(64)));

/* A value that the compiler knows nothing about. */
static void *opaque(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

static void take(size_t size)
{
	for (unsigned i = 0; i < NR_BLOCKS; i++) {
		blocks[i] = malloc(size);
		memset(blocks[i], 0x11, size);
	}
}

static void give(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		free(blocks[i]);
}

/* A kind that is one call. */
#define ONE(name, ...)                \
	static void name(size_t size) \
	{                             \
		__VA_ARGS__;          \
	}

/* Works on with blocks of the size. */
static void settle(size_t size)
{
	unsigned nr = size > 65536 ? 2 : 100;
	void *own[64];

	for (unsigned round = 0; round < nr; round++) {
		for (unsigned i = 0; i < 64; i++) {
			own[i] = malloc(size);
			memset(own[i], 0x22, size);
		}
		for (unsigned i = 0; i < 64; i++)
			free(own[i]);
	}
	malloc_trim(0);
}

static void again_at_once(size_t size)
{
	void *p = malloc(size);

	free(p);
	free(opaque(p));
}

static void again_after_one(size_t size)
{
	take(size);
	free(blocks[7]);
	free(blocks[8]);
	free(opaque(blocks[7]));
}

static void again_after_many(size_t size)
{
	take(size);
	give(500, 1500);
	free(opaque(blocks[600]));
	give(0, 500);
}

/* Its neighbours keep the memory in use. */
static void again_after_trim(size_t size)
{
	take(size);
	give(500, 600);
	malloc_trim(0);
	free(opaque(blocks[550]));
}

static void again_after_all(size_t size)
{
	take(size);
	give(0, NR_BLOCKS);
	malloc_trim(0);
	free(opaque(blocks[900]));
}

static void *free_it(void *p)
{
	free(p);
	return NULL;
}

static void by_thread(void *p)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, free_it, p))
		pthread_join(thread, NULL);
}

static void again_by_thread(size_t size)
{
	take(size);
	free(blocks[3]);
	give(10, 30);
	by_thread(opaque(blocks[3]));
}

static void again_by_two(size_t size)
{
	take(size);
	by_thread(blocks[3]);
	by_thread(opaque(blocks[3]));
}

static void again_after_realloc(size_t size)
{
	char *p = malloc(size), *q = malloc(size);
	char *moved = realloc(p, 8 * size);

	if (moved == p)
		exit(3);
	free(q);
	free(opaque(p));
}

static void realloc_freed(size_t size)
{
	take(size);
	give(100, 140);
	blocks[0] = realloc(opaque(blocks[110]), 4 * size);
}

static void usable_freed(size_t size)
{
	take(size);
	give(100, 140);
	if (malloc_usable_size(opaque(blocks[110])) == 1)
		puts("one");
}

static void of_stack(size_t size)
{
	char block[256] __attribute__((aligned(64)));

	memset(block, 0, sizeof(block));
	free(opaque(block + size));
}

ONE(of_static, free(opaque(statics + size)))

static void at_offset(size_t size, ptrdiff_t offset)
{
	char *p = malloc(size);

	memset(p, 0, size);
	free(opaque(p + offset));
}

ONE(of_middle, at_offset(size, (ptrdiff_t)(size / 2 & ~(size_t)15)))
ONE(of_next_byte, at_offset(size, 1))

static void of_end(size_t size)
{
	char *p = malloc(size);

	free(opaque(p + malloc_usable_size(p)));
}

static void of_mapping(size_t size)
{
	free(opaque(mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
}

ONE(of_number, free(opaque((void *)(uintptr_t)(0x5eadbeef0000 + size))))

static void realloc_middle(size_t size)
{
	char *p = malloc(size);

	memset(p, 0, size);
	blocks[0] = realloc(opaque(p + size / 2), 2 * size);
}

static void *new_as(const char *name, size_t size)
{
	void *(*f)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, name);

	return f(size);
}

static void delete_as(void *p, size_t size)
{
	void (*f)(void *, size_t) =
		(void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "_ZdlPvm");

	f(p, size);
}

ONE(sized_too_large, delete_as(new_as("_Znwm", size), 3 * size))
ONE(sized_too_small, delete_as(new_as("_Znwm", size), size / 3))

static void *new_aligned(size_t size, size_t align)
{
	void *(*f)(size_t, size_t) = (void *(*)(size_t, size_t))dlsym(
		RTLD_DEFAULT, "_ZnwmSt11align_val_t");

	return f(size, align);
}

static void aligned_wrongly(size_t size)
{
	void (*f)(void *, size_t, size_t) =
		(void (*)(void *, size_t, size_t))dlsym(
			RTLD_DEFAULT, "_ZdlPvmSt11align_val_t");
	char *p = new_aligned(size, 64), *q = new_aligned(size, 64);

	/* One of two neighbours is not aligned to more. */
	f((uintptr_t)p % 8192 ? p : q, size, 8192);
}

static void delete_by(const char *name, void *p)
{
	void (*f)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, name);

	f(p);
}

ONE(free_of_new, free(new_as("_Znam", size)))
ONE(delete_of_malloc, delete_by("_ZdlPv", malloc(size)))
ONE(delete_of_aligned, delete_by("_ZdlPv", new_aligned(size, 64)))
ONE(delete_of_array, delete_by("_ZdlPv", new_as("_Znam", size)))

/* Writes n bytes at an offset of the block in the middle of others. */
static void write_at(size_t size, ptrdiff_t offset, size_t n)
{
	char *p;

	take(size);
	p = opaque(blocks[NR_BLOCKS / 2]);
	memset(p + offset, 0x41, n);
	give(0, NR_BLOCKS);
}

ONE(over_by_1, write_at(size, (ptrdiff_t)size, 1))
ONE(over_by_16, write_at(size, (ptrdiff_t)size, 16))
ONE(over_by_much, write_at(size, (ptrdiff_t)size, 8192))
ONE(under_by_8, write_at(size, -8, 8))
ONE(under_by_1, write_at(size, -1, 1))

#define SECRET "it is nobody else's"

static void spill(const char *p, size_t n)
{
	if (!memmem(p, n, SECRET, sizeof(SECRET)))
		puts("harmless");
}

/* What lies behind a block, where others keep a secret. */
static void read_over(size_t size)
{
	static char seen[16384];
	char *p;

	take(size);
	for (unsigned i = 0; i < NR_BLOCKS; i++)
		memcpy(blocks[i], SECRET, sizeof(SECRET));
	p = opaque(blocks[NR_BLOCKS / 2]);
	memcpy(seen, p + size, 2 * size);
	spill(seen, 2 * size);
	give(0, NR_BLOCKS);
}

/* What the block's last owner left there. */
static void read_new(size_t size)
{
	static char seen[16384];

	take(size);
	for (unsigned i = 0; i < NR_BLOCKS; i++)
		memcpy((char *)blocks[i] + size / 2, SECRET, sizeof(SECRET));
	give(0, NR_BLOCKS);
	for (unsigned i = 0; i < NR_BLOCKS; i++) {
		blocks[i] = malloc(size);
		memcpy(seen, opaque(blocks[i]), size);
		if (memmem(seen, size, SECRET, sizeof(SECRET)))
			return;
	}
	puts("harmless");
}

/* The end of a block that realloc made larger. */
static void read_grown(size_t size)
{
	char *p;

	take(2 * size);
	for (unsigned i = 0; i < NR_BLOCKS; i++)
		memcpy((char *)blocks[i] + size, SECRET, sizeof(SECRET));
	give(0, NR_BLOCKS);
	for (unsigned i = 0; i < NR_BLOCKS; i++) {
		p = realloc(malloc(size), 2 * size);
		if (memmem(opaque(p), 2 * size, SECRET, sizeof(SECRET)))
			return;
	}
	puts("harmless");
}

/* A large block, the second of three, written by half of it more. */
static void over_large(size_t size)
{
	char *p[3];

	for (unsigned i = 0; i < 3; i++) {
		p[i] = malloc(size);
		memset(p[i], 0x11, size);
	}
	memset(opaque(p[1] + size), 0x41, size / 2);
	for (unsigned i = 0; i < 3; i++)
		free(p[i]);
}

static void use_after(size_t size, size_t offset, size_t n)
{
	take(size);
	give(100, 200);
	memset((char *)opaque(blocks[150]) + offset, 0x41, n);
}

static void read_after(size_t size, bool late)
{
	static char seen[16384];
	char *p;

	take(size);
	p = opaque(blocks[150]);
	memcpy(p + size / 2, SECRET, sizeof(SECRET));
	give(100, late ? NR_BLOCKS : 200);
	if (late)
		give(0, 100);
	if (late)
		malloc_trim(0);
	memcpy(seen, p, size);
	spill(seen, size);
}

ONE(read_early, read_after(size, false))
ONE(read_late, read_after(size, true))

/* Through a pointer that its owner kept over a realloc. */
static void read_moved(size_t size)
{
	static char seen[16384];
	char *p = malloc(size), *q = malloc(size), *moved;

	memcpy(p + size / 2, SECRET, sizeof(SECRET));
	moved = realloc(p, 8 * size);
	if (moved == p)
		exit(3);
	memcpy(seen, opaque(p), size);
	spill(seen, size);
	free(q);
}

static void write_large(size_t size)
{
	char *p = malloc(size);

	memset(p, 0x11, size);
	free(p);
	memset((char *)opaque(p) + size / 2, 0x41, 64);
}

ONE(write_head, use_after(size, 0, 8))
ONE(write_middle, use_after(size, size / 2, 8))

static void write_late(size_t size)
{
	take(size);
	give(0, NR_BLOCKS);
	malloc_trim(0);
	memset(opaque(blocks[150]), 0x41, 16);
}

/* From the end of a mapping of the program's upwards, until something stops
 * it or a megabyte is written. */
static void over_mapping(size_t size)
{
	char *p;

	take(64);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < (1 << 20); i += 8)
		*(volatile uint64_t *)(p + size + i) = 0x4141414141414141;
	give(0, NR_BLOCKS);
}

static const struct kind {
	const char *name;
	void (*run)(size_t size);
	size_t size;
	const char *what;
} kinds[] = {
	{ "again-at-once", again_at_once, 100, "freed twice in a row" },
	{ "again-after-one", again_after_one, 100, "one other free between" },
	{ "again-after-many", again_after_many, 100, "1,000 frees between" },
	{ "again-after-trim", again_after_trim, 100,
	  "caches emptied between, neighbours live" },
	{ "again-after-all", again_after_all, 100,
	  "everything freed and trimmed between" },
	{ "again-by-thread", again_by_thread, 100,
	  "the second time by another thread" },
	{ "again-by-two", again_by_two, 100, "by two threads, both gone" },
	{ "again-tiny", again_after_one, 16, "16 bytes, one free between" },
	{ "again-medium", again_after_one, 100000, "100,000 bytes, likewise" },
	{ "again-large", again_at_once, 4 << 20, "4 MiB, twice in a row" },
	{ "again-after-realloc", again_after_realloc, 100,
	  "the old pointer after realloc moved it" },
	{ "realloc-freed", realloc_freed, 100, "realloc of a freed block" },
	{ "usable-freed", usable_freed, 100,
	  "malloc_usable_size of a freed block" },
	{ "free-stack", of_stack, 64, "a local variable" },
	{ "free-static", of_static, 64, "a static variable" },
	{ "free-middle", of_middle, 1000, "the middle of a small block" },
	{ "free-middle-large", of_middle, 4 << 20,
	  "the middle of a large one" },
	{ "free-misaligned", of_next_byte, 100, "the second byte of a block" },
	{ "free-end", of_end, 1000, "the byte behind a block" },
	{ "free-mapping", of_mapping, 65536, "memory of mmap" },
	{ "free-number", of_number, 64, "an address where nothing is" },
	{ "realloc-middle", realloc_middle, 1000,
	  "realloc of the middle of a block" },
	{ "sized-too-large", sized_too_large, 100,
	  "sized delete, thrice the size" },
	{ "sized-too-small", sized_too_small, 300,
	  "sized delete, a third of the size" },
	{ "aligned-wrongly", aligned_wrongly, 128,
	  "aligned delete, a larger alignment" },
	{ "free-of-new", free_of_new, 100, "free of what new[] made" },
	{ "delete-of-malloc", delete_of_malloc, 100, "delete of malloc's" },
	{ "delete-of-array", delete_of_array, 100, "delete of new[]'s" },
	{ "delete-of-aligned", delete_of_aligned, 100,
	  "plain delete of aligned new's" },
	{ "over-by-1", over_by_1, 100, "one byte behind 100" },
	{ "over-by-16", over_by_16, 64, "16 bytes behind 64" },
	{ "over-by-much", over_by_much, 64, "8,192 bytes behind 64" },
	{ "over-medium", over_by_16, 40960, "16 bytes behind 40,960" },
	{ "over-large", over_large, 1 << 20, "512 KiB behind 1 MiB" },
	{ "under-by-8", under_by_8, 64, "8 bytes in front of a block" },
	{ "under-by-1", under_by_1, 100, "a byte in front of a block" },
	{ "under-medium", under_by_8, 40960, "8 bytes in front of 40,960" },
	{ "read-over", read_over, 1000, "2,000 bytes read behind 1,000" },
	{ "read-new", read_new, 1000, "what a block's last owner left" },
	{ "read-grown", read_grown, 1000, "the same, behind realloc's growth" },
	{ "read-freed", read_early, 1000, "a freed block, among live ones" },
	{ "read-freed-late", read_late, 1000,
	  "after all was freed and trimmed" },
	{ "read-moved", read_moved, 1000,
	  "the old place of what realloc moved" },
	{ "write-freed-head", write_head, 100,
	  "the first word of a freed block" },
	{ "write-freed-middle", write_middle, 100,
	  "a word in the middle of a freed block" },
	{ "write-freed-late", write_late, 100,
	  "after all was freed and trimmed" },
	{ "write-freed-large", write_large, 4 << 20, "a freed block of 4 MiB" },
	{ "over-mapping", over_mapping, 65536,
	  "1 MiB behind a mapping of the program's" },
};

#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

int main(int argc, char **argv)
{
	for (unsigned i = 0; argc == 2 && i < NR_KINDS; i++) {
		const struct kind *k = &kinds[i];

		if (!strcmp(argv[1], "--list"))
			printf("%s: %s\n", k->name, k->what);
		if (strcmp(argv[1], k->name))
			continue;
		k->run(k->size);
		puts("went on");
		fflush(stdout);
		settle(k->size);
		return 0;
	}
	return argc == 2 && !strcmp(argv[1], "--list") ? 0 : 2;
}
