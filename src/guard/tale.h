/* layer 4.12: tale: a report of many lines
 *
 * The first line goes out at once, the others together, so that what two
 * threads tell does not mix: to standard error, and to the end of the file that
 * the option report_file names. Lines are gathered in memory of the kernel's;
 * where there is none each goes out alone. A thread that dies here leaves its
 * report unfinished, and memory. Waits for nobody, safe in signal handlers.
 */
#ifndef LANE_TALE_H
#define LANE_TALE_H

#include <stdarg.h>

#include "base/compiler.h"

struct tale {
	int fd;	    /* of the file; negative: there is none */
	char *text; /* NULL: nothing is gathered */
	size_t nr;  /* of bytes in text */
};

/* Begin a report with its first line. */
void tale_begin(struct tale *tale, const char *fmt, ...) printf_like(2, 3);
void tale_vbegin(struct tale *tale, const char *fmt, va_list args)
	printf_like(2, 0);
void tale_line(struct tale *tale, const char *fmt, ...) printf_like(2, 3);

/* Tell the calls of a stack: a number of trace.h's, or addresses behind
 * calls. */
void tale_stack(struct tale *tale, uint32_t stack);
void tale_calls(struct tale *tale, const uint64_t *pcs, unsigned n);

void tale_end(struct tale *tale);

#endif
