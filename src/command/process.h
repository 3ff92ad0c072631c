/* layer 7.1: process: a running process as an image
 *
 * What the kernel refuses is said with its reason, as far as it can be told:
 * the process is gone, is another user's, is protected by ptrace_scope.
 */
#ifndef LANE_COMMAND_PROCESS_H
#define LANE_COMMAND_PROCESS_H

#include "command/image.h"

/* image->pid is set. False: error says why. */
bool process_open(struct image *image);
bool process_read_ranges(struct image *image);

/* When it was started, in the kernel's ticks; 0: there is no such process. */
uint64_t process_start(pid_t pid);

/* A number of a line "Name: number" of /proc/PID/status; -1: none. */
long process_status(struct image *image, const char *name, int base);

/* Ranges of addresses: those of blocks, then those of tables. */
struct places {
	uint64_t begins[256], ends[256];
	size_t nr, nr_blocks;
};

struct resident {
	uint64_t blocks, tables, whole; /* bytes */
};

/* What the kernel says is resident. False: it does not say. */
bool process_resident(struct image *image, const struct places *places,
		      struct resident *out);

#endif
