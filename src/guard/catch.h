/* layer 4.14: catch: faults at guarded blocks, before the program's handler
 *
 * With guard=N, and where blocks have colours (colour_fault.h), a handler of
 * ours stands before the program's own for SIGSEGV and SIGBUS, from the start
 * on. What is neither a guarded block's nor of a colour goes on to the
 * program's handler at once, or to the default action: then the instruction is
 * run again, so that the core shows it. After a report the same happens. Where
 * there are colours a handler of the program's finds the pointer's in the
 * address.
 *
 * A handler that the program sets later would take ours away: sigaction() and
 * signal() are wrapped (entry/signals.c, in the shared library), so that the
 * kernel keeps ours, with the flags and the mask that the program asks for, and
 * the program's is a word here:
 *
 *	bit 63	it takes three arguments (SA_SIGINFO)
 *	bit 62	it serves once (SA_RESETHAND)
 *	bits 0..61	its address; SIG_DFL; SIG_IGN
 *
 * It costs the program a jump in each call of these two, and nothing without
 * these. Not seen are the system call itself and older names (sigset,
 * bsd_signal); a static program's handler replaces ours. Those programs die by
 * the fault without a report.
 *
 * Interleavings: kernel and word are two places, and a fault of another thread
 * between their changes finds the old handler or the new one; flags and mask
 * are the new one's. Two threads that change both at once may leave the flags
 * of the one and the handler of the other, as without us it may be either. A
 * child of vfork changes the kernel's table of its own and not the word, which
 * is its parent's. A thread that dies in between leaves the old word.
 */
#ifndef LANE_CATCH_H
#define LANE_CATCH_H

#include <signal.h>

#include "base/compiler.h"

typedef int catch_sigaction_fn(int signal, const struct sigaction *action,
			       struct sigaction *old);

/* Stands before the program's handlers from now on; by the constructor that has
 * found libc's functions. */
void catch_start(void);

/* Says whether that signal's handler is ours, in the calling process. */
bool catch_has(int signal);

/* Does what sigaction() does, with the program's own handler for such a
 * signal. */
int catch_change(catch_sigaction_fn *real, int signal,
		 const struct sigaction *action, struct sigaction *old);

#endif
