/* layer 1.2: peek: reads memory of the process that may not be there
 *
 * Where a load might fault the kernel is asked to copy (process_vm_readv(2) on
 * oneself), which answers EFAULT instead; but not before system_peek_start(),
 * nor in a sandbox (sandbox.h) or behind a filter that was there before the
 * program: they may kill for it. Whether pages can be read tells
 * madvise(MADV_POPULATE_READ), since Linux 5.14 and also there. Wait-free but
 * for the kernel, safe in signal handlers, touches no errno.
 */
#ifndef LANE_PEEK_H
#define LANE_PEEK_H

#include "base/compiler.h"

/* Allows it, unless a filter that was there before the program may forbid it.
 * Idempotent. */
void system_peek_start(void);

/* Copies bytes from the beginning of the range, up to the first that cannot be
 * read; how many. */
size_t system_peek(void *to, const void *from, size_t size);

/* The same also behind a filter that was there before the program, by
 * /proc/self/mem: with calls that every program was loaded by. Nothing where
 * that cannot be opened. Pages without access are read, too. */
size_t system_peek_behind_filter(void *to, const void *from, size_t size);

/* Says whether all pages of [from, from + size) can be read, while nobody
 * unmaps them. */
bool system_can_read(const void *from, size_t size);

#endif
