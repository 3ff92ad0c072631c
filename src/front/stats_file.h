/* layer 5.9: stats file: the statistics in a file
 *
 * Made under a name of its own and renamed: it is whole, and what was there
 * stays until then. Any thread may write at any time, also a handler that
 * interrupts one that does: the last to rename counts. Memory for the text is
 * the kernel's; nothing is allocated. A thread that dies leaves that, and a
 * file NAME.PID.NUMBER.part.
 */
#ifndef LANE_STATS_FILE_H
#define LANE_STATS_FILE_H

#include "base/compiler.h"

#define STATS_PATH_SIZE 1024

/* %p in the pattern stands for the process's id, %% for %; a name that ends in
 * .json or .prom has that form, others the table. 0 or a negated errno; path is
 * where. */
int stats_file_write(const char *pattern, char path[STATS_PATH_SIZE]);

#endif
