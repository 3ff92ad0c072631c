/* board: the load's side */
#include "board.h"
#include "load.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <lanemalloc.h>

#include "../harness/clock.h"

#define PAGE 4096

/* There when lanemalloc is preloaded. */
#pragma weak lanemalloc_stats

static struct board nobody;
static struct board *board = &nobody;
static int statm = -1;
static uint64_t start_ns;
static _Thread_local struct board_counter *counter;

__attribute__((constructor)) static void board_open(void)
{
	const char *path = getenv("MEMORY_BOARD");
	int file;

	start_ns = clock_ns(CLOCK_MONOTONIC);
	statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (!path)
		return;
	file = open(path, O_RDWR | O_CLOEXEC);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED,
		     file, 0);
	if (board == MAP_FAILED || board->magic != BOARD_MAGIC)
		load_die("%s is no board", path);
	close(file);
}

static struct board_counter *counter_take(void)
{
	unsigned index = atomic_fetch_add_explicit(&board->nr_counters, 1,
						   memory_order_relaxed);

	return &board->counters[index % BOARD_COUNTERS];
}

void board_add(long long bytes)
{
	if (!counter)
		counter = counter_take();
	atomic_fetch_add_explicit(&counter->bytes, bytes,
				  memory_order_relaxed);
}

static void mark_losses(struct board_mark *mark)
{
	struct lanemalloc_stats stats;

	if (!lanemalloc_stats)
		return;
	lanemalloc_stats(&stats, sizeof(stats));
	mark->told = 1;
#define BOARD_COPY(name) mark->name = stats.name;
	BOARD_LOSSES(BOARD_COPY)
#undef BOARD_COPY
}

void board_mark(const char *name)
{
	unsigned nr = atomic_load_explicit(&board->nr_marks,
					   memory_order_relaxed);
	struct board_mark *mark = &board->marks[nr];

	if (nr == BOARD_MARKS)
		load_die("no room for the mark %s", name);
	strncpy(mark->name, name, sizeof(mark->name) - 1);
	mark->ms = (clock_ns(CLOCK_MONOTONIC) - start_ns) / 1000000;
	mark->live = (uint64_t)board_live(board);
	mark->rss = board_resident(statm);
	mark_losses(mark);
	/* The watcher reads the marks below the number. */
	atomic_store_explicit(&board->nr_marks, nr + 1, memory_order_release);
}

void board_rest(const char *name)
{
	board_mark(name);
	sleep(4);
	board_mark("idle");
}

void *board_table(size_t bytes)
{
	size_t room = (bytes + PAGE - 1) & -(size_t)PAGE;
	char *table = mmap(NULL, room + PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (table == MAP_FAILED || mprotect(table + room, PAGE, PROT_NONE))
		load_die("no memory for a table of %zu bytes", bytes);
	return table;
}

void board_table_free(void *table, size_t bytes)
{
	munmap(table, ((bytes + PAGE - 1) & -(size_t)PAGE) + PAGE);
}

void board_touch(void *block, size_t size)
{
	volatile char *bytes = block;

	for (size_t i = 0; i < size; i += PAGE)
		bytes[i] = 1;
	if (size)
		bytes[size - 1] = 1;
}

void *board_get(size_t size)
{
	void *block = malloc(size);

	load_must(block, size);
	board_touch(block, size);
	board_add((long long)size);
	return block;
}

void board_put(void *block, size_t size)
{
	if (!block)
		return;
	free(block);
	board_add(-(long long)size);
}

void *board_resize(void *block, size_t old, size_t size)
{
	void *resized = realloc(block, size);

	load_must(resized, size);
	board_touch(resized, size);
	board_add((long long)size - (long long)old);
	return resized;
}
