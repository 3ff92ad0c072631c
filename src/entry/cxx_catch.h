/* layer 6.2: C++ catch: a call behind which no exception flies on
 *
 * For the nothrow forms, whose new-handler may throw. An exception of any
 * language that unwinds by the common tables is caught; what unwinds by force
 * (pthread_exit, cancellation) passes on, for it may not be stopped.
 *
 * The frame is assembly; what it does when it is unwound is in cxx_names.c:
 * the C++ runtime decides by its personality, which is looked for when an
 * exception is there, and its own functions end the exception, so that its
 * count of those in flight and its memory are right. Without a runtime in
 * reach the exception passes on.
 */
#ifndef LANE_CXX_CATCH_H
#define LANE_CXX_CATCH_H

#include "base/compiler.h"

typedef void *cxx_attempt(size_t size, size_t align);

/* Returns attempt()'s result; NULL: it threw. */
extern internal void *cxx_catch(cxx_attempt *attempt, size_t size,
				size_t align);

/* Are the frame's own two: who decides, and what follows. */
extern internal int cxx_personality(int version, int actions,
				    uint64_t exception_class, void *exception,
				    void *context);
extern internal void cxx_caught(void *exception);

#endif
