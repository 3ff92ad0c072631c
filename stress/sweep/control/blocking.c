/* blocking: a malloc with one lock, which the sweep must find out
 *
 * Blocks are powers of two with their class in front, kept in free lists
 * under a spinning lock: whoever stops in between stops everybody.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define exported __attribute__((visibility("default")))
#define NR_CLASSES 48
#define HEAD 16 /* bytes in front of a block: its class and its start */
#define CHUNK ((size_t)1 << 20)

struct head {
	uint32_t size_class;
	uint32_t offset; /* of the block from where its memory begins */
};

struct free_block {
	struct free_block *next;
};

static atomic_flag lock = ATOMIC_FLAG_INIT;
static struct free_block *lists[NR_CLASSES];
static char *chunk, *chunk_end;

static void lock_take(void)
{
	while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))
		;
}

static void lock_drop(void)
{
	atomic_flag_clear_explicit(&lock, memory_order_release);
}

static void *map(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* The lock is held. */
static char *carve(size_t size)
{
	char *at;

	if (size >= CHUNK)
		return map(size);
	if (!chunk || (size_t)(chunk_end - chunk) < size) {
		chunk = map(CHUNK);
		chunk_end = chunk ? chunk + CHUNK : NULL;
		if (!chunk)
			return NULL;
	}
	at = chunk;
	chunk += size;
	return at;
}

static uint32_t class_of(size_t size)
{
	uint32_t size_class = 5;

	while (((size_t)1 << size_class) < size)
		size_class ++;
	return size_class;
}

static struct head *head_of(void *block)
{
	return (struct head *)(void *)((char *)block - HEAD);
}

static char *take(uint32_t size_class)
{
	char *at;

	lock_take();
	at = (char *)lists[size_class];
	if (at)
		lists[size_class] = lists[size_class]->next;
	else
		at = carve((size_t)1 << size_class);
	lock_drop();
	return at;
}

static void *get(size_t size, size_t align)
{
	uint32_t size_class;
	char *at, *block;

	if (align < HEAD)
		align = HEAD;
	if (size > (size_t)1 << 40 || align > (size_t)1 << 30) {
		errno = ENOMEM;
		return NULL;
	}
	size_class = class_of(size + align + HEAD);
	at = take(size_class);
	if (!at) {
		errno = ENOMEM;
		return NULL;
	}
	block = at + HEAD;
	block += -(uintptr_t)block & (align - 1);
	head_of(block)->size_class = size_class;
	head_of(block)->offset = (uint32_t)(block - at);
	return block;
}

exported void free(void *block)
{
	struct free_block *at;
	uint32_t size_class;

	if (!block)
		return;
	size_class = head_of(block)->size_class;
	at = (void *)((char *)block - head_of(block)->offset);
	lock_take();
	at->next = lists[size_class];
	lists[size_class] = at;
	lock_drop();
}

exported void *malloc(size_t size)
{
	return get(size, HEAD);
}

exported size_t malloc_usable_size(void *block)
{
	if (!block)
		return 0;
	return ((size_t)1 << head_of(block)->size_class) -
	       head_of(block)->offset;
}

exported void *calloc(size_t n, size_t size)
{
	size_t all;
	void *block;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	block = get(all, HEAD);
	return block ? memset(block, 0, all) : NULL;
}

exported void *realloc(void *block, size_t size)
{
	size_t keep = malloc_usable_size(block);
	void *to = get(size, HEAD);

	if (!to || !block)
		return to;
	memcpy(to, block, keep < size ? keep : size);
	free(block);
	return to;
}

exported void *memalign(size_t align, size_t size)
{
	return align & (align - 1) ? NULL : get(size, align);
}

exported void *aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

exported int posix_memalign(void **out, size_t align, size_t size)
{
	void *block;

	if (align & (align - 1) || align % sizeof(void *))
		return EINVAL;
	block = get(size, align);
	if (!block)
		return ENOMEM;
	*out = block;
	return 0;
}

exported void *valloc(size_t size)
{
	return get(size, 4096);
}

exported void *pvalloc(size_t size)
{
	return get((size + 4095) & ~(size_t)4095, 4096);
}
