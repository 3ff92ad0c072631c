/* layer 5.12: forms: the statistics as texts
 *
 * Each fills at most size bytes of buf with a text and its final NUL, as
 * snprintf does, and returns the length that the whole text has. Numbers are
 * read while threads go on, so two calls may differ in length. As wait-free as
 * stats.h and detail.h are; nothing is allocated, and a thread that dies leaves
 * what they leave.
 */
#ifndef LANE_FORMS_H
#define LANE_FORMS_H

#include "base/compiler.h"

/* A text that grows in a buffer of the caller's, in one thread's hands: what
 * does not fit is counted and not written. */
struct form {
	char *buf;
	size_t size;
	size_t length; /* that the whole text has */
};

void form_add(struct form *form, const char *fmt, ...) printf_like(2, 3);

/* Adds the inside of a string in JSON, or of a label of Prometheus's; control
 * characters do not come. */
void form_add_escaped(struct form *form, const char *string);

/* Prints the mode, its reason and all numbers as text lines on stderr. */
void forms_print(void);

/* Writes the lines of forms_print(). */
size_t forms_table(char *buf, size_t size);

/* Write what lanemalloc_stats_json() and lanemalloc_stats_detail_json() say. */
size_t forms_json(char *buf, size_t size);
size_t forms_detail_json(char *buf, size_t size);

/* Writes what lanemalloc_stats_prometheus() says. */
size_t forms_prometheus(char *buf, size_t size);

#endif
