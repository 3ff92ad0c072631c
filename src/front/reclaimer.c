/* layer 5.3: reclaimer: a thread that gives memory back while others sleep */
#include "front/reclaimer.h"

#include "cpucache/drain.h"
#include "cpucache/rseq.h"
#include "front/tick.h"
#include "pageheap/page_heap.h"
#include "system/config.h"
#include "system/place.h"
#include "system/system.h"

#define QUIET_TICKS 3
#define ASKED_MS 10 /* between a request and its purge */
#define STACK_SIZE ((size_t)32 << 10)
#define TLS_HALF ((size_t)4 << 10)

static _Atomic(int) owner_pid; /* atomic: the process that has it */
static _Atomic(char *) memory; /* atomic: stack and TLS, kept for ever */

/* The thread's own memory: stack, then a thread control block in the middle
 * of zeros, for code of libc that looks at its thread pointer. */
struct reclaimer_memory {
	char stack[STACK_SIZE];
	char below[TLS_HALF];
	void *self; /* the thread pointer points here */
	char above[TLS_HALF - sizeof(void *)];
	struct rseq_area area;
};

static size_t reclaim(struct rseq_area *self)
{
	size_t done = drain_caches(self, true);

	return done + tick_whole();
}

static uint64_t tick_ms(void)
{
	return max_size(config.purge_delay, 10);
}

/* Gives need not ask again while it waits. */
static size_t serve(void)
{
	system_sleep(&reclaimer_word, RECLAIMER_ASKED, ASKED_MS);
	store_relaxed(&reclaimer_word, RECLAIMER_AWAKE); // hint
	return page_heap_purge_requested();
}

/* Sleeps until the next tick, but for requests; the bytes that those gave. */
static size_t sleep_a_tick(void)
{
	uint64_t start = system_now_ms(), past = 0;
	size_t done = 0;
	uint32_t word;

	for (; past < tick_ms(); past = system_now_ms() - start) {
		word = load_relaxed(&reclaimer_word); // hint
		if (word == RECLAIMER_ASKED)
			done += serve();
		else if (cas_relaxed(&reclaimer_word, &word,
				     RECLAIMER_AWAKE)) // hint
			system_sleep(&reclaimer_word, RECLAIMER_AWAKE,
				     tick_ms() - past);
	}
	return done;
}

/* Nothing was found for a while: sleeps until a slow path passes. One that
 * passed while this thread fell asleep may have seen it awake, so it looks
 * once more after a tick's time. */
static void sleep_deep(struct rseq_area *self)
{
	uint32_t word = RECLAIMER_AWAKE;

	if (!cas_relaxed(&reclaimer_word, &word, RECLAIMER_ASLEEP)) // hint
		return;
	system_sleep(&reclaimer_word, RECLAIMER_ASLEEP, tick_ms());
	if (!reclaim(self))
		system_sleep(&reclaimer_word, RECLAIMER_ASLEEP, 0);
}

static _Noreturn void reclaimer_run(void *arg)
{
	struct reclaimer_memory *m = arg;
	struct rseq_area *self = rseq_register(&m->area) ? NULL : &m->area;
	unsigned quiet = 0;

	for (;;) {
		size_t done = sleep_a_tick();

		quiet = done + reclaim(self) ? 0 : quiet + 1;
		if (quiet < QUIET_TICKS)
			continue;
		sleep_deep(self);
		quiet = 0;
	}
}

static void reclaimer_entry(void *arg)
{
	reclaimer_run(arg);
}

static struct reclaimer_memory *memory_get(void)
{
	char *found = load_relaxed(&memory); // own: the starter alone uses it
	char *fresh;

	if (found)
		return (void *)found;
	fresh = place_map(sizeof(struct reclaimer_memory));
	if (!fresh)
		return NULL;
	store_relaxed(&memory, fresh); // own: likewise
	return (void *)fresh;
}

static int thread_start(void)
{
	struct reclaimer_memory *m = memory_get();

	if (!m)
		return -12;
	m->self = &m->self;
	m->area = (struct rseq_area){ .cpu_id = (uint32_t)-1 };
	store_relaxed(&reclaimer_word, RECLAIMER_AWAKE); // before publish
	return system_thread_start(m->stack, STACK_SIZE, &m->self,
				   reclaimer_entry, m);
}

int reclaimer_start(void)
{
	int pid = system_getpid(), seen = load_relaxed(&owner_pid); // hint
	int result;

	if (seen == pid || !config.reclaimer)
		return 0;
	if (!cas_relaxed(&owner_pid, &seen, pid)) // own: the winner starts it
		return 0;
	result = thread_start();
	tick_set_reclaimer(result >= 0);
	if (result < 0) {
		store_relaxed(&reclaimer_word, RECLAIMER_NONE); // hint
		store_relaxed(&owner_pid, 0); // hint: the next may try
	}
	return result < 0 ? result : 0;
}

void reclaimer_wake_slow(void)
{
	uint32_t word = RECLAIMER_ASLEEP;

	if (cas_relaxed(&reclaimer_word, &word, RECLAIMER_AWAKE)) // hint
		system_wake(&reclaimer_word);
}
