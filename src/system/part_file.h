/* layer 1.4: part file: a file that is whole or not there
 *
 * What is under way has a name of its own, NAME.PID.NUMBER.part, and is renamed
 * when it is whole: what was there stays until then. What is there and no file
 * of its own (a pipe, a device, /dev/stderr) is written to instead, for a
 * rename would put a file in its place. Any thread may write at any time, also
 * a handler that interrupts one that does: the last to rename counts. Nothing
 * is allocated, errno stays, nobody waits but for the kernel. A thread that
 * dies leaves the part and a descriptor.
 */
#ifndef LANE_PART_FILE_H
#define LANE_PART_FILE_H

#include "base/compiler.h"

#define PART_PATH_SIZE 1024

/* Calls write(fd, how) for what stands in the file; its result, or another
 * negated errno. 0: the file is there. */
int part_file_write(const char *path, int (*write)(int fd, const void *how),
		    const void *how);

#endif
