/* layer 6.6: rights: before and after a call that changes the program's rights
 *
 * No helper lives or is born between begin and end, so no task of the process
 * has other rights than the program's threads, and none stands in the way of a
 * call that only a process of one thread may make.
 */
#ifndef LANE_RIGHTS_H
#define LANE_RIGHTS_H

#include "base/compiler.h"

struct rights {
	uint32_t token;	  /* of helper_forbid() */
	bool ended;	  /* a helper was there */
	bool may_sandbox; /* the call may end in a sandbox */
};

/* Waits for the helper's end. May run in signal handlers, at any fork. */
struct rights rights_begin(bool may_sandbox);

/* sandbox: the kind that is on now (system/sandbox.h), 0: none. Another helper
 * is born at once where one was ended, with the rights of now. */
void rights_end(const struct rights *rights, uint64_t sandbox);

#endif
