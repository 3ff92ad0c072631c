/* broken: a malloc that errs on purpose, for trying out --verify
 *
 * Memory is handed out once, from the bottom up, and its sizes stand in a
 * table beside it, so that nothing but the fault itself is wrong. A fault is
 * committed once, as soon as there is a block to hurt after START calls.
 *
 * BROKEN=none	no fault
 *	twice	a live block is handed out again
 *	overlap	a block begins within a live one
 *	dirty	calloc forgets to clear the last byte
 *	short	realloc does not copy the last byte
 *	crooked	an aligned block is 16 bytes off
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define GRAIN 16
#define ARENA_SIZE ((size_t)16 << 30)
#define START 60	/* calls: by then the load runs, and not the loader */
#define NR_RECENT 32
#define LIVE 1u		/* beside the size of a live block */

static unsigned char *arena;
static _Atomic uint64_t *sizes;	/* of each grain: size << 1 | LIVE */
static atomic_size_t used;
static atomic_uint nr_calls, nr_faults;
static _Atomic(unsigned char *) recent[NR_RECENT];
static const char *fault = "none";

static void *reserve(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		_exit(125);
	return memory;
}

/* The loader and the first constructors allocate; nobody else runs then. */
static void start(void)
{
	sizes = reserve(ARENA_SIZE / GRAIN * sizeof(*sizes));
	arena = reserve(ARENA_SIZE);
}

__attribute__((constructor)) static void choose(void)
{
	const char *name = getenv("BROKEN");

	if (name)
		fault = name;
}

static _Atomic uint64_t *size_of(const void *block)
{
	return &sizes[(size_t)((const unsigned char *)block - arena) / GRAIN];
}

static bool is_due(const char *name)
{
	return !strcmp(fault, name) && nr_calls > START && !nr_faults;
}

static bool commit(void)
{
	unsigned none = 0;

	return atomic_compare_exchange_strong(&nr_faults, &none, 1);
}

/* A live block of this thread's or of another's that is large enough. */
static unsigned char *victim(size_t size)
{
	for (unsigned i = 0; i < NR_RECENT; i++) {
		unsigned char *block = recent[i];
		uint64_t word = block ? *size_of(block) : 0;

		if ((word & LIVE) && word >> 1 >= size && size >= GRAIN)
			return block;
	}
	return NULL;
}

static unsigned char *carve(size_t align, size_t size)
{
	size_t room = size + align + 2 * GRAIN;
	size_t at = atomic_fetch_add(&used, (room + GRAIN - 1) & -GRAIN);

	if (at + room > ARENA_SIZE)
		return NULL;
	return (unsigned char *)(((uintptr_t)arena + at + align - 1) & -align);
}

static void *serve(size_t align, size_t size)
{
	unsigned char *block = NULL, *hurt;

	if (!arena)
		start();
	if (size > ARENA_SIZE / 2) {
		errno = ENOMEM;
		return NULL;
	}
	nr_calls++;
	if (is_due("twice") && (hurt = victim(size)) && commit())
		block = hurt;
	if (is_due("overlap") && (hurt = victim(2 * GRAIN)) && commit())
		block = hurt + GRAIN;
	if (!block)
		block = carve(align, size);
	if (!block)
		return NULL;
	*size_of(block) = (uint64_t)size << 1 | LIVE;
	recent[nr_calls % NR_RECENT] = block;
	return block;
}

EXPORT void *malloc(size_t size)
{
	return serve(GRAIN, size);
}

EXPORT void free(void *block)
{
	if (block)
		*size_of(block) &= ~(uint64_t)LIVE;
}

EXPORT void *calloc(size_t nr, size_t size)
{
	size_t bytes;
	unsigned char *block;

	if (__builtin_mul_overflow(nr, size, &bytes))
		return NULL;
	block = serve(GRAIN, bytes);
	if (!block)
		return NULL;
	memset(block, 0, bytes);
	if (bytes && is_due("dirty") && commit())
		block[bytes - 1] = 0x80;
	return block;
}

EXPORT void *realloc(void *block, size_t size)
{
	unsigned char *moved = serve(GRAIN, size);
	size_t old = block ? *size_of(block) >> 1 : 0;
	size_t both = old < size ? old : size;

	if (!moved || !both)
		return moved;
	memcpy(moved, block, both - 1);
	if (!is_due("short") || !commit())
		moved[both - 1] = ((unsigned char *)block)[both - 1];
	free(block);
	return moved;
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
	unsigned char *block = serve(align < GRAIN ? GRAIN : align, size);

	if (!block || align <= GRAIN || !is_due("crooked") || !commit())
		return block;
	*size_of(block + GRAIN) = *size_of(block);
	return block + GRAIN;
}

EXPORT void *memalign(size_t align, size_t size)
{
	return aligned_alloc(align, size);
}

EXPORT int posix_memalign(void **block, size_t align, size_t size)
{
	*block = aligned_alloc(align, size);
	return *block ? 0 : ENOMEM;
}
