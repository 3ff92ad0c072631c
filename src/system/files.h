/* layer 1.2: files: reading and writing files without libc
 *
 * As system.h: straight to the kernel, no errno, no TLS, no lock, nothing
 * allocated, safe in signal handlers. Only for what the program or its user
 * asks for: in a sandbox (sandbox.h) these calls are the asker's risk.
 */
#ifndef LANE_FILES_H
#define LANE_FILES_H

#include "base/compiler.h"

/* Open a file to read, or a new one to write: a descriptor, or a negated errno;
 * what is no file is not waited for. The new
 * file is its owner's alone; one of that name must not be there. */
int system_open(const char *path);
int system_create(const char *path);

/* Opens a file to write at its end; it is made where it is not there. A pipe is
 * not waited for: -ENXIO where nobody reads it. */
int system_append(const char *path);

/* Says whether it could be opened so: 0 or a negated errno. Nothing is made,
 * but an empty file where one goes away meanwhile. */
int system_try_append(const char *path);

/* Opens, to write at its end, what is there and no file of its own: a device, a
 * pipe that somebody reads, a link to standard output or error, as /dev/stdout
 * is one. *fd: a descriptor that never waits, or a negated errno, also of what
 * is not to be written to. False: a file, another link, or nothing. */
bool system_open_stream(const char *path, int *fd);

void system_close(int fd);

/* Reads bytes: how many, 0 at the end, or a negated errno. */
long system_read(int fd, char *buf, size_t size);

/* Writes all bytes: 0, or a negated errno. */
int system_write(int fd, const char *buf, size_t size);

/* Reads what a symbolic link says, and adds a NUL: bytes, or a negated
 * errno. */
long system_read_link(const char *path, char *buf, size_t size);

/* Rename a file, or remove it: 0 or a negated errno. */
int system_rename(const char *from, const char *to);
void system_unlink(const char *path);

/* Reads the clock: nanoseconds since 1970. */
uint64_t system_wall_ns(void);

#endif
