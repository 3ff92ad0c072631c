/* helper_world: the helper's code with a thread that runs by hand, for the
 * tests of system/helper.c and front/reclaimer.c. Includes the former. */
#ifndef HELPER_WORLD_H
#define HELPER_WORLD_H

#include "heap_fixture.h"

#include <errno.h>

#include "system/helper.h"
#include "system/sandbox.h"
#include "system/threads.h"

/* The births: what the kernel was asked for. */
static struct start {
	unsigned nr;
	char *stack;
	size_t stack_size;
	void *tls;
	void (*run)(void *);
	void *arg;
} started;
static int start_result;

/* What the helper sees of the kernel. */
#define FIRST_TID 1000
static struct {
	int tid;	      /* of the calling thread */
	uint32_t next_tid;    /* of the next helper */
	int lingers;	      /* a task that ended and is still there */
	bool first_runs, creator_lives, same_rights, filtered, has_word;
	unsigned nr_naps, nr_blocks;
	_Atomic(uint32_t) first_word;
} kernel;

/* What the helper sleeps on; each sleep may be the scene of an event. */
#define SLEEPS_MOST 256
static struct {
	uint32_t value;
	uint64_t timeout_ms;
	bool watched;
} sleeps[SLEEPS_MOST];
static unsigned nr_sleeps, end_at;
static jmp_buf ended;
static bool has_ended;
static void (*event)(unsigned nr);

/* What a waiting thread sees in its turn. */
static void (*awaited)(struct helper_life *life);

static int start_recorded(void *stack, size_t size, void *tls,
			  void (*run)(void *), void *arg,
			  struct system_thread *thread)
{
	assert_true(kernel.nr_blocks > 0);
	started = (struct start){ started.nr + 1, stack, size, tls, run, arg };
	if (!start_result)
		store_relaxed(&thread->tid, kernel.next_tid++); // own
	return start_result;
}

static bool sleep_recorded(_Atomic(uint32_t) *word, uint32_t value,
			   uint64_t timeout_ms,
			   const struct system_watch *watch)
{
	assert_int_equal(load_relaxed(word), value); // own
	assert_true(nr_sleeps < SLEEPS_MOST);
	sleeps[nr_sleeps].value = value;
	sleeps[nr_sleeps].watched = watch != NULL;
	sleeps[nr_sleeps++].timeout_ms = timeout_ms;
	fake_now_ms += timeout_ms;
	if (nr_sleeps == end_at)
		longjmp(ended, 1);
	if (event)
		event(nr_sleeps);
	return !watch || load_relaxed(watch->word) == watch->value; // own
}

static void thread_ends(struct system_thread *thread)
{
	store_relaxed(&thread->alive, 0); // own
}

static _Noreturn void exit_recorded(void)
{
	struct helper_life *life = started.arg;

	thread_ends(&life->thread);
	has_ended = true;
	longjmp(ended, 1);
}

static uint64_t block_counted(void)
{
	kernel.nr_blocks++;
	return 0;
}

static void restore_counted(uint64_t old)
{
	(void)old;
	kernel.nr_blocks--;
}

static bool lives_as_told(int tid)
{
	return tid == kernel.lingers ||
	       (tid < FIRST_TID + 100 && kernel.creator_lives);
}

static bool first_as_told(int tid)
{
	assert_int_equal(tid, FIRST_TID);
	return kernel.first_runs;
}

static void nap_counted(long us)
{
	(void)us;
	kernel.nr_naps++;
	if (kernel.nr_naps % 8 == 0)
		kernel.lingers = 0;
}

static void await_told(_Atomic(uint32_t) *word)
{
	if (awaited)
		awaited(container_of(word, struct helper_life, thread.alive));
}

#define system_thread_start start_recorded
#define system_sleep sleep_recorded
#define system_thread_exit exit_recorded
#define system_signals_block block_counted
#define system_signals_restore restore_counted
#define system_thread_lives lives_as_told
#define system_thread_runs first_as_told
#define system_same_capabilities(tid) ((void)(tid), kernel.same_rights)
#define system_gettid() (kernel.tid)
#define system_tid_word(tid) \
	((void)(tid), kernel.has_word ? &kernel.first_word : NULL)
#define system_is_filtered() (kernel.filtered)
#define system_nap nap_counted
#define system_sleep_shared(word, value, ms) await_told(word)
#include "system/helper.c"

/* As in the child of a fork, or in a new process. */
static void helper_forget(void)
{
	struct helper *h = helper_memory();

	if (h)
		memset(h, 0, sizeof(*h));
}

static void helper_world_reset(void)
{
	helper_forget();
	memset(&started, 0, sizeof(started));
	memset(&kernel, 0, sizeof(kernel));
	kernel.tid = fake.pid = FIRST_TID;
	kernel.next_tid = FIRST_TID + 100;
	kernel.first_runs = kernel.creator_lives = true;
	kernel.same_rights = kernel.has_word = true;
	store_relaxed(&kernel.first_word, FIRST_TID); // own
	start_result = 0;
	nr_sleeps = end_at = 0;
	has_ended = false;
	event = NULL;
	awaited = NULL;
}

/* The helper that was born last, until its n-th sleep or its end. */
static void run_until_sleep(unsigned n)
{
	end_at = n;
	if (!setjmp(ended))
		started.run(started.arg);
}

static void run_to_its_end(void)
{
	run_until_sleep(0);
}

#endif
