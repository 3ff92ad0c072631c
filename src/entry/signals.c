/* layer 6.6: signals: a program's handlers for faults, behind the guards'
 *
 * With guard=N the program's handler for SIGSEGV and SIGBUS comes behind ours
 * (guard/catch.h); all else goes to libc's functions as it is. Only in the
 * shared library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>

#include "base/compiler.h"
#include "entry/real.h"
#include "guard/catch.h"

typedef void (*plain_handler)(int);
typedef plain_handler signal_fn(int signal, plain_handler handler);

exported int sigaction(int signal, const struct sigaction *action,
		       struct sigaction *old)
{
	catch_sigaction_fn *real = real_function(sigaction);

	if (unlikely(!real)) {
		errno = ENOSYS;
		return -1;
	}
	if (unlikely(catch_has(signal)))
		return catch_change(real, signal, action, old);
	return real(signal, action, old);
}

/* Does what BSD's signal() does. */
exported plain_handler signal(int number, plain_handler handler)
{
	struct sigaction old,
		action = { .sa_handler = handler, .sa_flags = SA_RESTART };
	signal_fn *real = real_function(signal);

	if (likely(real) && likely(!catch_has(number)))
		return real(number, handler);
	sigaddset(&action.sa_mask, number);
	return sigaction(number, &action, &old) ? SIG_ERR : old.sa_handler;
}
