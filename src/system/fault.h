/* layer 1.6: fault: ends the program, which misused the heap, or whose heap is
 * damaged
 *
 * What is said on stderr is appended to the file that the option report_file
 * names, too. Whoever has more to say than a line, guard/long_report.h, does so
 * by the same functions. Safe in signal handlers and before main; a thread that
 * dies here leaves an open descriptor.
 */
#ifndef LANE_FAULT_H
#define LANE_FAULT_H

#include <stdarg.h>

#include "base/compiler.h"

/* Writes a line as report_line() does, and aborts. Every caller's message has a
 * test of its own. */
_Noreturn void fault(const char *fmt, ...) printf_like(1, 2);

/* Tests an invariant that costs little and whose failure would hurt. */
#define check(cond)                                                    \
	do {                                                           \
		if (unlikely(!(cond)))                                 \
			fault("%s:%d: invariant broken: %s", __FILE__, \
			      __LINE__, #cond);                        \
	} while (0)

#ifdef LANE_DEBUG
#define debug_check(cond) check(cond)
#else
#define debug_check(cond) ((void)sizeof(!(cond)))
#endif

/* Writes a report's first line, to stderr and then to the option's file, which
 * it opens and returns; negative where there is none, or where a filter that is
 * known of may kill for it. One that is not has the line on stderr before. */
int fault_vbegin(const char *fmt, va_list args) printf_like(1, 0);

/* Writes to stderr and to that file, if it is one. */
void fault_write(int file, const char *text, size_t size);

/* Closes it; says on stderr where it could not be opened. */
void fault_file_close(int file);

#endif
