/* layer 1.3: report: one-line messages, written without allocating
 *
 * A small formatter of our own, because libc's allocates and locks: %d %u %x
 * with l, ll or z before them, %s, %.*s, %p, %c, %%. No widths, no flags. A
 * line is built on the stack and written by one call.
 */
#ifndef LANE_REPORT_H
#define LANE_REPORT_H

#include <stdarg.h>

#include "base/compiler.h"

/* Formats like snprintf: at most size bytes with the final NUL; returns the
 * length that the whole text has. A directive it does not know ends the
 * formatting and is copied as it stands, with all behind it. Safe in signal
 * handlers and before main. */
int report_format(char *buf, size_t size, const char *fmt, ...)
	printf_like(3, 4);
int report_vformat(char *buf, size_t size, const char *fmt, va_list args)
	printf_like(3, 0);

/* Says what people call an errno that files and signals give; "" for others. */
const char *report_error(int error);

/* Prints "lanemalloc: " + text + newline on stderr, as one write; at most
 * REPORT_LINE_SIZE bytes. Control characters in the text become '?', so that
 * one message is one line. */
#define REPORT_LINE_SIZE 512
void report_line(const char *fmt, ...) printf_like(1, 2);

/* Writes such a line into memory; the length, newline included, without a
 * NUL. */
size_t report_vbuild(char line[REPORT_LINE_SIZE], const char *fmt, va_list args)
	printf_like(2, 0);

#endif
