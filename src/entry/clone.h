/* layer 6.7: clone: children that share memory and thread pointer, as vfork's
 *
 * The gate around clone()'s call of the system, in clone.c or clone_real.c: for
 * the child's life where its parent sleeps meanwhile, else for good, unless
 * there is no child.
 */
#ifndef LANE_CLONE_H
#define LANE_CLONE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>

#include "front/heap.h"

static inline void share_begin(int flags)
{
	if (flags & CLONE_VFORK)
		heap_vfork_begin();
	else
		heap_gate_close();
}

static inline void share_end(int flags, int result)
{
	if (flags & CLONE_VFORK)
		heap_vfork_end();
	else if (result < 0)
		heap_gate_open();
}

#endif
