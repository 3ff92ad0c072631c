/* layer 5.6: text: a text that grows in a buffer of the caller's
 *
 * What does not fit is counted and not written, and the buffer always ends in a
 * NUL, as with snprintf. In the hands of one thread; wait-free.
 */
#ifndef LANE_TEXT_H
#define LANE_TEXT_H

#include "base/compiler.h"

struct text {
	char *buf;
	size_t size;
	size_t length; /* that the whole text has */
};

void text_add(struct text *t, const char *fmt, ...) printf_like(2, 3);

/* The inside of a string in JSON, or of a label of Prometheus's; control
 * characters do not come. */
void text_add_escaped(struct text *t, const char *string);

bool text_is(const char *a, const char *b);

#endif
