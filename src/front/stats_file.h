/* layer 5.13: stats file: the statistics in a file
 *
 * It is whole, or not there (system/part_file.h). Memory for the text is the
 * kernel's; nothing is allocated. A thread that dies leaves that, and the part.
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
