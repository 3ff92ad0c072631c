/* layer 1.2: threads: what the kernel knows of threads
 *
 * As system.h: straight to the kernel, no errno, no TLS, no lock, safe in
 * signal handlers and on a thread that libc does not know.
 */
#ifndef LANE_THREADS_H
#define LANE_THREADS_H

#include <signal.h>

#include "base/atomic.h"
#include "base/compiler.h"

/* A word of a thread's that the kernel clears when the thread ends. */
struct system_watch {
	_Atomic(uint32_t) *word;
	uint32_t value; /* until then */
};

/* What the kernel writes of a thread. */
struct system_thread {
	_Atomic(uint32_t) alive; /* cleared, and woken, when it has ended */
	_Atomic(uint32_t) tid;	 /* its id, before its first instruction */
};

/* Block all of them, libc's own included, and return the mask that was; or
 * bring that back. */
uint64_t system_signals_block(void);
void system_signals_restore(uint64_t old);

int system_gettid(void);

/* Says whether the process has a task of that id, dead or alive. */
bool system_thread_lives(int tid);

/* Says whether that thread of libc's has not begun to end. Unlike
 * system_thread_lives() it sees a first thread that ended before the others. */
bool system_thread_runs(int tid);

/* Says whether both have the same capabilities; true where nobody tells. */
bool system_same_capabilities(int tid);

/* Finds the word that the kernel clears, and wakes, when the calling thread
 * ends; it holds the thread's id (another libc may use it otherwise: NULL). */
_Atomic(uint32_t) *system_tid_word(int tid);

/* Sleeps while *word == value, at most that long; woken by the kernel's wake
 * at a thread's end, too, which system_sleep() is not. */
void system_sleep_shared(_Atomic(uint32_t) *word, uint32_t value,
			 uint64_t timeout_ms);

/* Sends a signal to the calling thread; one that is blocked comes when it is
 * not any more. */
void system_raise(int signal);

/* Sleeps for that long, off the CPU. */
void system_nap(long us);

_Noreturn void system_thread_exit(void);

/* Makes the child of a fork find zeros there. 0 or a negated errno. */
int system_wipe_on_fork(void *addr, size_t size);

/* Whether there was a seccomp filter before the program, or might have been:
 * it may kill for calls that few programs make. */
bool system_is_filtered(void);

/* Finds where the kernel's own shared object begins; NULL: nowhere. */
const char *system_vdso(void);

void system_make_readonly(void *addr, size_t size);

/* Calls handler, with all signals blocked, for a signal that the program leaves
 * alone. 0, -EBUSY where the program does not, or another negated errno. */
int system_handle_signal(int signal, void (*handler)(int, siginfo_t *, void *));

#endif
