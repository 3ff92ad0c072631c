/* layer 4.11: origin: where code is, as module+offset
 *
 * libc's _dl_find_object() (sealed.h) names the module of an address without a
 * lock, its name lies in the loader's memory; both may be gone by then, where
 * another thread unloads it, so they are read through the kernel where that is
 * allowed (peek.h). The offset is what addr2line takes. Without that function
 * (static programs, libc before 2.35, musl) the bare address has to do. Keeps
 * nothing; safe in signal handlers.
 */
#ifndef LANE_ORIGIN_H
#define LANE_ORIGIN_H

#include "base/compiler.h"

/* Names the call that pc is behind, as snprintf() would write it. */
int origin_format(char *buf, size_t size, uint64_t pc);

#endif
