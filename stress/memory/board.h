/* board: what a load and the program that watches it tell each other
 *
 * A file that both map. The load writes its live bytes, a counter a thread,
 * and at the end of each stage a mark: what it holds, what is resident, and
 * what the malloc itself tells where that is lanemalloc. The watcher reads
 * the counters whenever it likes. A load without MEMORY_BOARD in its
 * environment works, too, and tells nobody.
 *
 * Resident is what is resident and private (resident - shared of statm): the
 * files' pages are no malloc's. So everything that a load needs for itself
 * lies in shared memory (board_table()), which is not counted.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_MAGIC 0x6c616e6564726f62
#define BOARD_COUNTERS 256
#define BOARD_MARKS 16

/* X(name): of lanemalloc_stats(), bytes. */
#define BOARD_LOSSES(X)							\
	X(live_size) X(cached_size) X(slab_free_size) X(free_dirty_size) \
	X(metadata_size)

struct board_mark {
	char name[16];
	uint64_t ms;		/* since the load began */
	uint64_t live, rss;	/* bytes */
	uint64_t told;		/* 1: the following are lanemalloc's */
#define BOARD_FIELD(name) uint64_t name;
	BOARD_LOSSES(BOARD_FIELD)
#undef BOARD_FIELD
};

/* Two cache lines: no thread's counter shares one with another's. */
struct board_counter {
	_Alignas(128) atomic_llong bytes;
};

struct board {
	uint64_t magic;
	atomic_uint nr_marks;
	atomic_uint nr_counters; /* taken; further threads share them */
	struct board_mark marks[BOARD_MARKS];
	struct board_counter counters[BOARD_COUNTERS];
};

/* Adds to the calling thread's live bytes. */
void board_add(long long bytes);

/* Of all threads. */
long long board_live(const struct board *board);

/* The end of a stage. No other thread may be at work. */
void board_mark(const char *name);

/* The same, then `idle` after four seconds without a call. */
void board_rest(const char *name);

/*
 * Zero memory that is not counted, with a page behind it that nobody may
 * touch; ends the program when there is none.
 */
void *board_table(size_t bytes);
void board_table_free(void *table, size_t bytes);

/* Writes to each page of the block, and to its last byte. */
void board_touch(void *block, size_t size);

/* malloc, touched and counted; free, counted; realloc likewise. */
void *board_get(size_t size);
void board_put(void *block, size_t size);
void *board_resize(void *block, size_t old, size_t size);

/* The resident private bytes that a file /proc/PID/statm tells; 0: none. */
uint64_t board_resident(int file);

#endif
