/* replay: lives through a recorded trace
 *
 *	replay NAME TRACE
 *
 * TRACE is in the compact form (trace_form.py). Each thread of the trace is a
 * thread here, from its first event to its last; the events happen in the
 * recorded order, one after the other, and not before their time. The thread
 * whose turn it is holds the baton and reads the trace; the others sleep. All
 * pages of a block are touched. Marks `work` at the end of the trace, with
 * what the program had not freed, and `idle` four seconds later.
 */
#include "../harness/clock.h"
#include "board.h"
#include "run.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "LTRACE1\n"
#define LATE_US 1000	/* shorter sleeps are saved up */
#define STACK_SIZE (256 << 10)

enum kind { ALLOC, ZERO, ALIGNED, RESIZE, FREE, THREAD, PAUSE, END };

struct block {
	void *bytes;
	size_t size;
};

struct thread {
	pthread_cond_t turn;
	bool started;
};

/* held: by the holder of the baton, who has the mutex, too. */
static struct {
	pthread_mutex_t mutex;
	size_t holder;
	const unsigned char *at, *end;
	struct thread *threads;
	size_t nr_threads;
	struct block *blocks;
	size_t nr_blocks, nr_born;
	uint64_t due_us;
	double start;
} play = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static uint64_t read_number(void)
{
	uint64_t value = 0;
	unsigned shift = 0;

	for (;;) {
		if (play.at == play.end || shift > 63)
			load_die("the trace is cut off or damaged");
		value |= (uint64_t)(*play.at & 127) << shift;
		if (!(*play.at++ & 128))
			return value;
		shift += 7;
	}
}

/* ---- blocks ---- */

static void birth(void *bytes, size_t size)
{
	load_must(bytes, size);
	if (play.nr_born == play.nr_blocks)
		load_die("the trace has more blocks than it says");
	play.blocks[play.nr_born++] = (struct block){ bytes, size };
	board_touch(bytes, size);
	board_add((long long)size);
}

static struct block *by_age(uint64_t age)
{
	struct block *block;

	if (!age || age > play.nr_born)
		load_die("the trace names no block");
	block = &play.blocks[play.nr_born - age];
	if (!block->bytes)
		load_die("the trace names a block that is freed");
	return block;
}

static void resize(struct block *block, size_t size)
{
	block->bytes = board_resize(block->bytes, block->size, size);
	block->size = size;
}

static void die(struct block *block)
{
	board_put(block->bytes, block->size);
	block->bytes = NULL;
}

/* ---- time and threads ---- */

static void pause_us(uint64_t us)
{
	double ahead;

	play.due_us += us;
	ahead = (double)play.due_us - (clock_seconds() - play.start) * 1e6;
	if (ahead > LATE_US)
		usleep((useconds_t)ahead);
}

static void *thread_main(void *argument);

static void baton_give(uint64_t number)
{
	struct thread *thread = &play.threads[number];
	pthread_attr_t attr;
	pthread_t id;

	if (number >= play.nr_threads)
		load_die("the trace names no thread");
	play.holder = number;
	if (thread->started) {
		pthread_cond_signal(&thread->turn);
		return;
	}
	thread->started = true;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&id, &attr, thread_main, thread))
		load_die("no thread");
	pthread_attr_destroy(&attr);
}

static void baton_wait(size_t number)
{
	while (play.holder != number)
		pthread_cond_wait(&play.threads[number].turn, &play.mutex);
}

/* One event. False: the thread ends, the baton is gone. */
static bool step(size_t self)
{
	uint64_t word = read_number(), value = word >> 3;

	switch ((enum kind)(word & 7)) {
	case ALLOC:
		birth(malloc(value), value);
		return true;
	case ZERO:
		birth(calloc(1, value), value);
		return true;
	case ALIGNED: {
		size_t size = read_number();

		birth(aligned_alloc((size_t)1 << (value & 63), size), size);
		return true;
	}
	case RESIZE:
		resize(by_age(value), read_number());
		return true;
	case FREE:
		die(by_age(value));
		return true;
	case THREAD:
		if (value != self) {
			baton_give(value);
			baton_wait(self);
		}
		return true;
	case PAUSE:
		pause_us(value);
		return true;
	case END:
		baton_give(read_number() >> 3);
		return false;
	}
	return true;
}

/* Thread 0 is the program's first; it waits for the end of the trace. */
static void play_as(size_t self)
{
	pthread_mutex_lock(&play.mutex);
	baton_wait(self);
	while (play.at < play.end && step(self))
		;
	if (play.at == play.end && self)
		baton_give(0);
	pthread_mutex_unlock(&play.mutex);
}

static void *thread_main(void *argument)
{
	struct thread *thread = argument;

	play_as((size_t)(thread - play.threads));
	return NULL;
}

/* ---- the trace ---- */

static void trace_open(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	struct stat about;
	void *text = MAP_FAILED;

	if (file >= 0 && !fstat(file, &about))
		text = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_SHARED,
			    file, 0);
	if (text == MAP_FAILED || (size_t)about.st_size < strlen(MAGIC) ||
	    memcmp(text, MAGIC, strlen(MAGIC)))
		load_die("%s is no trace", path);
	play.at = (unsigned char *)text + strlen(MAGIC);
	play.end = (unsigned char *)text + about.st_size;
}

static unsigned long play_trace(void)
{
	unsigned long nr_events;

	play.nr_threads = read_number();
	play.nr_blocks = read_number();
	nr_events = read_number();
	read_number();
	load_result("trace_peak", (double)read_number());
	play.threads = board_table(play.nr_threads * sizeof(*play.threads));
	play.blocks = board_table(play.nr_blocks * sizeof(*play.blocks));
	for (size_t i = 0; i < play.nr_threads; i++)
		pthread_cond_init(&play.threads[i].turn, NULL);
	play.threads[0].started = true;
	play.start = clock_seconds();
	play_as(0);
	return nr_events;
}

int main(int argc, char **argv)
{
	unsigned long nr;
	double seconds;

	if (argc != 3)
		load_die("replay NAME TRACE");
	trace_open(argv[2]);
	nr = play_trace();
	seconds = clock_seconds() - play.start;
	board_rest("work");
	printf("%s threads %zu operations %lu seconds %.6f "
	       "ns_per_operation %.3f%s\n", argv[1], play.nr_threads, nr,
	       seconds, seconds * 1e9 / (double)(nr ? nr : 1), load_results());
	return fflush(stdout) ? 1 : 0;
}
