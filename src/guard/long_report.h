/* layer 4.12: long_report: a report of many lines
 *
 * The first line goes out at once, the others together, so that what two
 * threads tell does not mix: to standard error, and to the end of the file that
 * the option report_file names. Lines are gathered in memory of the kernel's;
 * where there is none each goes out alone. A thread that dies here leaves its
 * report unfinished, and memory. Waits for nobody, safe in signal handlers.
 */
#ifndef LANE_LONG_REPORT_H
#define LANE_LONG_REPORT_H

#include <stdarg.h>

#include "base/compiler.h"

struct long_report {
	int fd;	    /* of the file; negative: there is none */
	char *text; /* NULL: nothing is gathered */
	size_t nr;  /* of bytes in text */
};

/* Begin a report with its first line. */
void long_report_begin(struct long_report *report, const char *fmt, ...)
	printf_like(2, 3);
void long_report_vbegin(struct long_report *report, const char *fmt,
			va_list args) printf_like(2, 0);
void long_report_line(struct long_report *report, const char *fmt, ...)
	printf_like(2, 3);

/* Tell the calls of a stack: a number of trace.h's, or addresses behind
 * calls. */
void long_report_stack(struct long_report *report, uint32_t stack);
void long_report_calls(struct long_report *report, const uint64_t *pcs,
		       unsigned n);

void long_report_end(struct long_report *report);

#endif
