/* recorder: a preloaded library that writes down each call of malloc
 *
 *	LANE_TRACE=PATH LD_PRELOAD=recorder.so PROGRAM
 *
 * writes PATH.PID of each process that begins by exec; a child of fork
 * records nothing. The calls are served by glibc's own malloc.
 *
 * No thread waits for another one: each has a chunk of the file, which it
 * takes by one addition, and slots in it likewise, so that a signal handler
 * takes the next slot and not the same. The number that orders the events of
 * all threads is taken before a block is given up and after one was got: a
 * block's next owner always has the higher one. It is stored last; a thread
 * that dies before leaves a slot that the reader skips. One that dies between
 * the addition and the mapping leaves an empty chunk. A handler that comes
 * between two lines of chunk_take() leaves the rest of a chunk unused.
 */
#include "raw.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../harness/clock.h"

#define PAGE 4096
#define EXPORT __attribute__((visibility("default")))

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t nr, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

static int file = -1;
static atomic_bool recording;
static size_t (*usable_size)(void *block);
static pthread_key_t end_key;
static uint64_t start_ns;
static atomic_ullong order, nr_chunks, nr_threads;

static __thread struct raw_chunk *chunk;
static __thread uint64_t thread;	/* its number and 1; 0: none yet */

static uint64_t next(atomic_ullong *number)
{
	/* seq_cst: a number that is taken later is higher. */
	return atomic_fetch_add(number, 1) + 1;
}

/* NULL: the file is full, or cannot be mapped; recording ends. */
static struct raw_chunk *chunk_take(void)
{
	uint64_t at = (next(&nr_chunks) - 1) * RAW_CHUNK_SIZE +
		RAW_HEADER_SIZE;
	struct raw_chunk *taken = MAP_FAILED;

	if (at + RAW_CHUNK_SIZE <= RAW_FILE_SIZE)
		taken = mmap(NULL, RAW_CHUNK_SIZE, PROT_READ | PROT_WRITE,
			     MAP_SHARED, file, (off_t)at);
	if (taken == MAP_FAILED) {
		atomic_store(&recording, false);
		return NULL;
	}
	if (!thread)
		thread = next(&nr_threads);
	taken->thread = thread - 1;
	return taken;
}

static struct raw_event *slot_take(void)
{
	struct raw_chunk *old = chunk;
	unsigned at = old ? atomic_fetch_add_explicit(
		&old->nr, 1, memory_order_relaxed) : RAW_CHUNK_EVENTS;

	if (at < RAW_CHUNK_EVENTS)
		return &old->events[at];
	if (!old)
		pthread_setspecific(end_key, &chunk);
	chunk = chunk_take();
	if (old)
		munmap(old, RAW_CHUNK_SIZE);
	return chunk ? &chunk->events[atomic_fetch_add_explicit(
		&chunk->nr, 1, memory_order_relaxed)] : NULL;
}

static void record(enum raw_op op, const void *block, size_t size,
		   size_t alignment)
{
	int saved = errno;
	struct raw_event *event;

	if (!atomic_load_explicit(&recording, memory_order_relaxed))
		return;
	event = slot_take();
	if (event) {
		event->ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
		event->block = (uint64_t)block;
		event->size = size;
		event->op = (uint8_t)op;
		event->align_shift = alignment ?
			(uint8_t)__builtin_ctzl(alignment) : 0;
		atomic_store(&event->order, next(&order));
	}
	errno = saved;
}

/* ---- life of process and thread ---- */

static void thread_end(void *unused)
{
	(void)unused;
	record(RAW_END, NULL, 0, 0);
}

/* The chunks are shared with the parent: not one word more. */
static void child_begin(void)
{
	atomic_store(&recording, false);
}

__attribute__((constructor)) static void recorder_start(void)
{
	const char *path = getenv("LANE_TRACE");
	struct raw_header header = { .magic = RAW_MAGIC };
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	char name[PAGE];

	/* Glibc's own: the program may have another malloc linked in. */
	usable_size = (size_t (*)(void *))dlsym(libc, "malloc_usable_size");
	if (!path)
		return;
	header.pid = (uint64_t)getpid();
	snprintf(name, sizeof(name), "%s.%d", path, getpid());
	file = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (file < 0 || ftruncate(file, RAW_FILE_SIZE) ||
	    pwrite(file, &header, sizeof(header), 0) != sizeof(header))
		return;
	/* A daemon closes low numbers. */
	file = fcntl(file, F_DUPFD_CLOEXEC, 500);
	if (file < 0 || pthread_key_create(&end_key, thread_end) ||
	    pthread_atfork(NULL, NULL, child_begin))
		return;
	start_ns = clock_ns(CLOCK_MONOTONIC);
	atomic_store(&recording, true);
}

/* ---- the calls ---- */

EXPORT void *malloc(size_t size)
{
	void *block = __libc_malloc(size);

	if (block)
		record(RAW_ALLOC, block, size, 0);
	return block;
}

EXPORT void *calloc(size_t nr, size_t size)
{
	void *block = __libc_calloc(nr, size);

	if (block)
		record(RAW_ZERO, block, nr * size, 0);
	return block;
}

EXPORT void free(void *block)
{
	if (block)
		record(RAW_FREE, block, 0, 0);
	__libc_free(block);
}

EXPORT void *realloc(void *block, size_t size)
{
	void *resized;

	if (!block)
		return malloc(size);
	if (!size) {
		free(block);
		return NULL;
	}
	record(RAW_RESIZE, block, size, 0);
	resized = __libc_realloc(block, size);
	record(RAW_RESIZED, resized, size, 0);
	return resized;
}

EXPORT void *memalign(size_t alignment, size_t size)
{
	void *block = __libc_memalign(alignment, size);

	if (block)
		record(RAW_ALIGNED, block, size, alignment);
	return block;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size)
{
	void *block;

	if (!alignment || alignment % sizeof(void *) ||
	    (alignment & (alignment - 1)))
		return EINVAL;
	block = memalign(alignment, size);
	if (!block)
		return ENOMEM;
	*out = block;
	return 0;
}

EXPORT size_t malloc_usable_size(void *block)
{
	return block && usable_size ? usable_size(block) : 0;
}

EXPORT void *valloc(size_t size)
{
	return memalign(PAGE, size);
}

EXPORT void *pvalloc(size_t size)
{
	return memalign(PAGE, (size + PAGE - 1) & -(size_t)PAGE);
}
