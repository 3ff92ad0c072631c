/* layer 5.11: heap: what malloc and free mean, without names and errno
 *
 * The one header for the entry layer, which puts the C and C++ names on top of
 * it: alloc.h, free.h, realloc.h, when the heap begins (start.h) and what it
 * does for threads (threads.h), what it gives back (relief.h), what of a block
 * may be used (usable.h). NULL and false say "no memory"; nothing here touches
 * errno. All functions may run in signal handlers, before main and after it.
 *
 * Blocks up to MEDIUM_SIZE_MOST are objects of slabs, passed through the CPU's
 * cache; larger ones are runs of the page heap. So are those above
 * SMALL_SIZE_MOST that must be zero (fresh memory need not be touched) or that
 * grew by realloc (they will grow again, and a run can in place). Every block
 * is aligned to 16.
 */
#ifndef LANE_HEAP_H
#define LANE_HEAP_H

#include "front/alloc.h"
#include "front/free.h"
#include "front/gate_holder.h"
#include "front/realloc.h"
#include "front/relief.h"
#include "front/start.h"
#include "front/threads.h"
#include "front/usable.h"

#endif
