/* layer 1.2: files: reading and writing files without libc
 *
 * As system.h: straight to the kernel, no errno, no TLS, no lock, nothing
 * allocated, safe in signal handlers. Only for what the program or its user
 * asks for: in a sandbox (sandbox.h) these calls are the asker's risk.
 */
#ifndef LANE_FILES_H
#define LANE_FILES_H

#include <signal.h>

#include "base/compiler.h"

/* A descriptor, or a negated errno; what is no file is not waited for. The new
 * file is its owner's alone; one of that name must not be there. */
int system_open(const char *path);
int system_create(const char *path);

void system_close(int fd);

/* Bytes, 0 at the end, or a negated errno. */
long system_read(int fd, char *buf, size_t size);

/* All of them: 0, or a negated errno. */
int system_write(int fd, const char *buf, size_t size);

/* What a symbolic link says, and a NUL: bytes, or a negated errno. */
long system_read_link(const char *path, char *buf, size_t size);

/* 0 or a negated errno. */
int system_rename(const char *from, const char *to);
void system_unlink(const char *path);

/* Nanoseconds since 1970. */
uint64_t system_wall_ns(void);

/* Calls handler, with all signals blocked, for a signal that the program leaves
 * alone. 0, -EBUSY where the program does not, or another negated errno. */
int system_handle_signal(int signal, void (*handler)(int, siginfo_t *, void *));

#endif
