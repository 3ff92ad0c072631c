/* layer 4.8: maps: where the process's code is mapped, as the kernel tells
 *
 * A walk over /proc/self/maps, line by line, in memory of the caller's own. The
 * kernel tells of moments that may lie apart.
 */
#ifndef LANE_MAPS_H
#define LANE_MAPS_H

#include "base/compiler.h"

#define MAPS_LINE 4608 /* the longest path and what stands before it */
#define BUILD_ID_MOST 20

struct mapping {
	uint64_t begin, end, offset;
	bool code;	  /* executable */
	const char *name; /* "" where there is none; until the next line */
};

struct maps {
	int fd;
	size_t at, end;	     /* in text: what was read and not looked at */
	uint64_t file_begin; /* where the last file's beginning is mapped */
	char text[MAPS_LINE];
};

/* Opens a walk; 0 or a negated errno. False: there is no more. */
int maps_open(struct maps *maps);
bool maps_next(struct maps *maps, struct mapping *mapping);
void maps_close(struct maps *maps);

/* Reads the build id of the file whose mapping came last, in hexadecimal;
 * false: it has none, or it cannot be read. */
bool maps_build_id(const struct maps *maps, char text[2 * BUILD_ID_MOST + 1]);

#endif
