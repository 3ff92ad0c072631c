/* reason: why an instruction is never reached */
#ifndef REASON_H
#define REASON_H

#include "sweep.h"

#define NR_FRAMES_MOST 8

/* The innermost first. */
struct source {
	unsigned nr;
	struct frame {
		char function[64];
		char line[120]; /* its text */
	} frames[NR_FRAMES_MOST];
};

/* Applies to an instruction of that function, or of one inlined in it. */
struct reason {
	const char *function; /* NULL: any */
	const char *line;     /* part of its text; NULL: any */
	const char *why;
};
extern const struct reason reasons[]; /* up to one without why */

void source_find(const char *library, const uint32_t *offsets, uint32_t n,
		 struct source *out);

/* Of n instructions that nothing reached: prints how many there are of each
 * function for each reason, and those without one. How many the latter are. */
uint32_t reason_report(const char *library, const uint32_t *instructions,
		       uint32_t n);

#endif
