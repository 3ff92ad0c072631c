/* layer 4.8: writer: bytes to a file, as they are or as gzip has them
 *
 * gzip with stored blocks (RFC 1951, 1952) needs nothing but a checksum. A
 * buffer of 1 KiB in the caller's hands; the first error stays, and what comes
 * behind it is dropped. A thread that dies leaves the file unfinished.
 */
#ifndef LANE_WRITER_H
#define LANE_WRITER_H

#include "base/compiler.h"

#define WRITER_HEAD 5 /* of a stored block */

struct writer {
	int fd;
	int error; /* 0, or a negated errno */
	bool gzip;
	uint32_t crc;
	uint32_t size; /* bytes before gzip, modulo 2^32 */
	size_t nr;     /* in buf, behind the room for the block's head */
	char buf[WRITER_HEAD + 1024];
};

void writer_open(struct writer *w, int fd, bool gzip);
void writer_put(struct writer *w, const void *bytes, size_t size);
void writer_text(struct writer *w, const char *text);
void writer_format(struct writer *w, const char *fmt, ...) printf_like(2, 3);
/* Writes what is left, and gzip's end; returns the error. */
int writer_close(struct writer *w);

#endif
