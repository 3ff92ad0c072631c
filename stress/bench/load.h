/* load: what every load program of the benchmark shares
 *
 * One program, `load NAME [--threads N] [--scale X] [--verify] [--seed N]`,
 * holds them all; each file of loads/ defines one or a few with LOAD(). The
 * work of a load is a fixed number of operations, whatever the number of
 * threads, so that wall times compare. An operation is one call that
 * allocates (its free belongs to it).
 *
 * A load's own bookkeeping comes from load_table() (mmap), never from malloc.
 * With --verify every block is filled with a pattern of its address, size and
 * seed when it arrives, and checked before it goes: a wrong byte is one line
 * on stderr and status 1.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;

struct run {
	const void *kind;	/* of the load */
	unsigned threads;	/* 1 for a load that is not parallel */
	unsigned long operations; /* of all threads together */
	bool verify;
	uint64_t seed;
};

struct load {
	const char *name;
	const char *about;	/* one line, with the source of the idea */
	bool parallel;		/* takes any number of threads */
	/* Operations at --scale 1: about 0.3 s under glibc on 2 CPUs. */
	unsigned long operations;
	void (*run)(const struct run *run);
	/* Or the body of all threads, and nothing around it. */
	void (*body)(struct worker *worker);
	const void *kind;	/* of several loads that run() tells apart */
};

/*
 * Defines a load, which is in the program's list from then on:
 *
 *	LOAD(tree) = { .name = "tree", .about = "...", ... };
 */
#define LOAD(identifier)						\
	static const struct load identifier##_load;			\
	static const struct load *const identifier##_listed		\
		__attribute__((section("loads"), used)) =		\
			&identifier##_load;				\
	static const struct load identifier##_load

/* One thread of load_parallel(). */
struct worker {
	const struct run *run;
	void *shared;		/* what load_parallel() was given */
	unsigned index;		/* from 0 */
	unsigned long operations; /* its share of run->operations */
	uint64_t random;	/* state of load_random(), never 0 */
};

/*
 * Runs `body` in run->threads threads (the caller is one of them, so that a
 * run with one thread starts none), which begin together; returns when all
 * have ended. The load's time is that of its load_parallel() calls, from the
 * common start to the end of the last thread; without one, all of its run().
 */
void load_parallel(const struct run *run, void (*body)(struct worker *worker),
		   void *shared);

/* A worker outside load_parallel(), for loads that start threads themselves. */
struct worker load_worker(const struct run *run, unsigned index);

/* Zero memory of its own pages; NULL never: it exits with one line instead. */
void *load_table(size_t bytes);
void load_table_free(void *table, size_t bytes);

/* Pseudo-random numbers (xorshift64*): below `limit`, and of low..high. */
uint64_t load_random(struct worker *worker);
size_t load_below(struct worker *worker, size_t limit);
size_t load_between(struct worker *worker, size_t low, size_t high);

/* The same, but each power of two of low..high as likely as the others. */
size_t load_skewed(struct worker *worker, size_t low, size_t high);

/*
 * A block of the malloc under test, touched as programs touch theirs: the
 * first and the last byte are written (all of it with --verify). Exits with
 * one line when there is no memory. load_put() checks the pattern and frees.
 */
void *load_get(const struct run *run, size_t size);
void load_put(const struct run *run, void *block, size_t size);

/* Writes a byte of each page of a block, from an offset on. */
void load_pages(void *block, size_t from, size_t to);

/* realloc() from `old` to `size` bytes, touched and checked like the above. */
void *load_resize(const struct run *run, void *block, size_t old, size_t size);

/*
 * The pattern alone, for loads that call calloc or aligned_alloc. fill()
 * without --verify touches the first and the last byte. check() is for blocks
 * that go: with --verify it leaves the block in shreds, so that the pattern
 * of a block that was handed out twice is found wrong the second time.
 */
void load_fill(const struct run *run, void *block, size_t size);
void load_check(const struct run *run, void *block, size_t size);

/* For a block that was not gotten by load_get(): exits if it is NULL. */
void load_must(void *block, size_t size);

/* The seconds of the load_parallel() calls so far. */
double load_seconds(void);

/* Adds ` key value` to the line that the program prints at its end. */
void load_result(const char *key, double value);

/* Ends the program with "load: TEXT" and status 1. */
_Noreturn void load_die(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif
