/* layer 1.4: watch: descriptors by which others say that memory is short
 *
 * The program asked for it by an option, as a descriptor is something that it
 * can see. Each is opened where the program creates a thread, moved to a number
 * that nobody counts on, and closed by exec. The program may close it with all
 * others, and its number may come to mean another file: before each use its
 * device and inode are compared with what they were. Between that and the use
 * lies a moment in which the number could change hands; what is done then is to
 * poll, or to read at an offset, which a pipe or a socket refuses, but for
 * WATCH_STREAM, whose bytes are read to be thrown away.
 *
 *	WATCH_PRESSURE	a file of pressure stall information: written once, then
 *			polled for POLLPRI, which tells of one event once
 *	WATCH_STREAM	a FIFO, or a socket that is connected to: written once,
 *			then polled for POLLIN
 *	WATCH_FILE	a file whose text is read again and again
 *
 * State: the descriptor, 0 once it is lost. Threads may use one at once; one of
 * them closes it, by an exchange. A thread that dies leaves it open. Nothing
 * waits: what would block is refused. In a sandbox (sandbox.h) nobody is there
 * to call this.
 */
#ifndef LANE_WATCH_H
#define LANE_WATCH_H

#include "base/atomic.h"
#include "base/compiler.h"

enum watch_kind { WATCH_PRESSURE, WATCH_STREAM, WATCH_FILE };

struct watch {
	_Atomic(uint32_t) number; /* atomic: the descriptor + 1; 0: none */
	enum watch_kind kind;	  /* const from here on */
	uint64_t device, inode;
};

/* Opens a pressure file, a FIFO or a socket, and writes so many bytes to it. 0
 * or a negated errno: -EINVAL where it is none of these. */
int watch_open(struct watch *watch, const char *path, const char *text,
	       size_t size);

/* Opens a file to be read again and again. */
int watch_open_file(struct watch *watch, const char *path);

/* Says whether something was said since the last call; what it was is thrown
 * away. One that is at its end, or is not what it was, is lost. */
bool watch_poll(struct watch *watch);

/* Reads the file's text as it is now; its length, or a negated errno. */
long watch_read(struct watch *watch, char *text, size_t size);

/* Closes it, where it is still what it was. */
void watch_close(struct watch *watch);

static inline bool watch_is_open(struct watch *watch)
{
	return load_relaxed(&watch->number); // hint
}

#endif
