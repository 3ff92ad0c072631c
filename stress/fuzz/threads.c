/* threads: system/threads.h for fuzzing: no thread runs but when told to
 *
 * A helper that somebody waits for has ended at once, without a turn: so the
 * one that looks whether the kernel aborts sections never runs, and no kernel
 * takes part here.
 */
#include "system/threads.h"

#include "system/helper.h"
#include "interrupt.h"
#include "world.h"

uint64_t system_signals_block(void)
{
	return interrupt_pause();
}

void system_signals_restore(uint64_t old)
{
	interrupt_resume(old);
}

int system_gettid(void)
{
	return world.pid;
}

/* No block is guarded here. */
void system_raise(int signal)
{
	must(!signal);
}

bool system_thread_lives(int tid)
{
	(void)tid;
	return false;
}

bool system_thread_runs(int tid)
{
	(void)tid;
	return true;
}

bool system_same_capabilities(int tid)
{
	(void)tid;
	return true;
}

_Atomic(uint32_t) *system_tid_word(int tid)
{
	(void)tid;
	return NULL;
}

void system_sleep_shared(_Atomic(uint32_t) *word, uint32_t value,
			 uint64_t timeout_ms)
{
	(void)value;
	world.now += timeout_ms;
	atomic_store(word, 0);
	world.thread = NULL;
}

void system_nap(long us)
{
	(void)us;
}

_Noreturn void system_thread_exit(void)
{
	struct helper_life *life = world.thread_arg;

	atomic_store(&life->thread.alive, 0);
	world.thread = NULL;
	longjmp(*world.on_sleep, 1);
}

int system_wipe_on_fork(void *addr, size_t size)
{
	world.wiped = addr;
	world.wiped_size = size;
	return 0;
}

bool system_is_filtered(void)
{
	return false;
}

const char *system_vdso(void)
{
	return NULL;
}

void system_make_readonly(void *addr, size_t size)
{
	(void)addr;
	(void)size;
}
