/* load: threads, clock, tables, random numbers, patterns */
#include "../harness/clock.h"
#include "../harness/random.h"
#include "run.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK_SIZE (256 << 10)
#define PAGE 4096

_Noreturn void load_die(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "load: %s\n", text);
	_exit(1);
}

void *load_table(size_t bytes)
{
	void *table = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (table == MAP_FAILED)
		load_die("no memory for a table of %zu bytes", bytes);
	return table;
}

void load_table_free(void *table, size_t bytes)
{
	munmap(table, bytes ? bytes : 1);
}

/* ---- results ---- */

static char results[1024];
static size_t results_length;

void load_result(const char *key, double value)
{
	size_t room = sizeof(results) - results_length;
	int length = snprintf(results + results_length, room, " %s %.6g", key,
			      value);

	if (length < 0 || (size_t)length >= room)
		load_die("no room for the result %s", key);
	results_length += (size_t)length;
}

const char *load_results(void)
{
	return results;
}

/* ---- random numbers ---- */

static uint64_t spread(uint64_t number)
{
	return random_next(&number);
}

uint64_t load_random(struct worker *worker)
{
	uint64_t x = worker->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	worker->random = x;
	return x * 0x2545f4914f6cdd1d;
}

size_t load_below(struct worker *worker, size_t limit)
{
	return (size_t)((unsigned __int128)load_random(worker) * limit >> 64);
}

size_t load_between(struct worker *worker, size_t low, size_t high)
{
	return low + load_below(worker, high - low + 1);
}

size_t load_skewed(struct worker *worker, size_t low, size_t high)
{
	unsigned doublings = 0;
	size_t from, to;

	while (low << doublings << 1 <= high)
		doublings++;
	from = low << load_below(worker, doublings + 1);
	to = from * 2 - 1;
	return load_between(worker, from, to < high ? to : high);
}

/* ---- threads and their clock ---- */

static double clocked;
static bool is_clocked;

double load_run(const struct load *load, const struct run *run)
{
	double start = clock_seconds();

	if (load->body)
		load_parallel(run, load->body, NULL);
	else
		load->run(run);
	return is_clocked ? clocked : clock_seconds() - start;
}

double load_seconds(void)
{
	return clocked;
}

struct worker load_worker(const struct run *run, unsigned index)
{
	struct worker worker = { .run = run, .index = index };

	worker.operations = run->operations / run->threads +
		(index < run->operations % run->threads);
	worker.random = spread(run->seed ^ spread(index)) | 1;
	return worker;
}

/* Threads come, wait until all are there, and start together. */
struct gate {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned nr_waiting;
	bool open;
};

/* Two cache lines each: no worker's random state shares one with another. */
struct thread {
	_Alignas(128) struct worker worker;
	struct gate *gate;
	void (*body)(struct worker *worker);
	pthread_t id;
};

static void *thread_main(void *argument)
{
	struct thread *thread = argument;
	struct gate *gate = thread->gate;

	pthread_mutex_lock(&gate->mutex);
	gate->nr_waiting++;
	pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		pthread_cond_wait(&gate->changed, &gate->mutex);
	pthread_mutex_unlock(&gate->mutex);
	thread->body(&thread->worker);
	return NULL;
}

static void threads_create(struct thread *threads, unsigned nr)
{
	pthread_attr_t attr;
	int error = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	for (unsigned i = 1; i < nr && !error; i++)
		error = pthread_create(&threads[i].id, &attr, thread_main,
				       &threads[i]);
	pthread_attr_destroy(&attr);
	if (error)
		load_die("no thread: %s", strerror(error));
}

/* Returns the time of the common start. */
static double gate_open(struct gate *gate, unsigned nr_others)
{
	double start;

	pthread_mutex_lock(&gate->mutex);
	while (gate->nr_waiting < nr_others)
		pthread_cond_wait(&gate->changed, &gate->mutex);
	gate->open = true;
	start = clock_seconds();
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->mutex);
	return start;
}

void load_parallel(const struct run *run, void (*body)(struct worker *worker),
		   void *shared)
{
	size_t bytes = run->threads * sizeof(struct thread);
	struct thread *threads = load_table(bytes);
	struct gate gate = { .mutex = PTHREAD_MUTEX_INITIALIZER,
			     .changed = PTHREAD_COND_INITIALIZER };
	double start;

	for (unsigned i = 0; i < run->threads; i++) {
		threads[i].worker = load_worker(run, i);
		threads[i].worker.shared = shared;
		threads[i].gate = &gate;
		threads[i].body = body;
	}
	threads_create(threads, run->threads);
	start = gate_open(&gate, run->threads - 1);
	body(&threads[0].worker);
	for (unsigned i = 1; i < run->threads; i++)
		pthread_join(threads[i].id, NULL);
	clocked += clock_seconds() - start;
	is_clocked = true;
	load_table_free(threads, bytes);
}

/* ---- patterns ---- */

static uint64_t pattern_key(const struct run *run, uintptr_t address,
			    size_t size)
{
	return spread(run->seed ^ spread(address ^ spread(size)));
}

static uint64_t pattern_word(uint64_t key, size_t index)
{
	return (key + index) * 0x9e3779b97f4a7c15;
}

static void pattern_write(uint64_t key, unsigned char *block, size_t size)
{
	size_t words = size / sizeof(uint64_t) * sizeof(uint64_t);
	uint64_t word;

	for (size_t i = 0; i < words; i += sizeof(word)) {
		word = pattern_word(key, i);
		memcpy(block + i, &word, sizeof(word));
	}
	word = pattern_word(key, words);
	memcpy(block + words, &word, size - words);
}

_Noreturn static void pattern_wrong(const unsigned char *block, size_t index,
				    size_t size)
{
	load_die("wrong bytes at %p, %zu in a block of %zu",
		 (const void *)(block + index), index, size);
}

static void pattern_check(uint64_t key, const unsigned char *block,
			  size_t size)
{
	size_t words = size / sizeof(uint64_t) * sizeof(uint64_t);
	uint64_t word;

	for (size_t i = 0; i < words; i += sizeof(word)) {
		word = pattern_word(key, i);
		if (memcmp(block + i, &word, sizeof(word)))
			pattern_wrong(block, i, size);
	}
	word = pattern_word(key, words);
	if (memcmp(block + words, &word, size - words))
		pattern_wrong(block, words, size);
}

static void touch(unsigned char *block, size_t size)
{
	if (!size)
		return;
	((volatile unsigned char *)block)[0] = 1;
	((volatile unsigned char *)block)[size - 1] = 1;
}

void load_pages(void *block, size_t from, size_t to)
{
	for (; from < to; from += PAGE)
		((volatile unsigned char *)block)[from] = 1;
}

void load_must(void *block, size_t size)
{
	if (!block)
		load_die("no memory for a block of %zu bytes", size);
}

void load_fill(const struct run *run, void *block, size_t size)
{
	if (run->verify)
		pattern_write(pattern_key(run, (uintptr_t)block, size), block,
			      size);
	else
		touch(block, size);
}

void load_check(const struct run *run, void *block, size_t size)
{
	if (!run->verify)
		return;
	pattern_check(pattern_key(run, (uintptr_t)block, size), block, size);
	memset(block, 0x5d, size);
}

void *load_get(const struct run *run, size_t size)
{
	void *block = malloc(size);

	load_must(block, size);
	load_fill(run, block, size);
	return block;
}

void load_put(const struct run *run, void *block, size_t size)
{
	load_check(run, block, size);
	free(block);
}

/*
 * The block goes with another pattern than it had: whoever else owns it finds
 * its own gone, even if it has the same size.
 */
void *load_resize(const struct run *run, void *block, size_t old, size_t size)
{
	uint64_t key = pattern_key(run, (uintptr_t)block, old);
	void *resized;

	if (run->verify) {
		pattern_check(key, block, old);
		pattern_write(~key, block, old);
	}
	resized = realloc(block, size);
	load_must(resized, size);
	if (run->verify)
		pattern_check(~key, resized, old < size ? old : size);
	load_fill(run, resized, size);
	return resized;
}
