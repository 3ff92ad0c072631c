/* layer 1.1: environ: what the environment says, without libc's functions
 *
 * It is walked here and not by getenv(), which may run string functions that a
 * static program has not resolved yet. Without a lock: at start-up nobody
 * changes it, and later it is read where a program creates its first thread.
 * No state.
 */
#ifndef LANE_ENVIRON_H
#define LANE_ENVIRON_H

#include "base/compiler.h"

extern char **environ weak_import;
extern unsigned long getauxval(unsigned long type) weak_import;

/* Whether libc has run its first initialiser, so that it can be called. */
static inline bool environ_is_there(void)
{
	return &environ && environ;
}

/* Finds the text behind "name=", or NULL; also where there is no environment
 * yet. */
const char *environ_find(const char *name);

/* Decodes a text in base64; the number of bytes, or -1: it is none, or does not
 * fit into `size`. */
long environ_decode(const char *text, char *out, size_t size);

#endif
