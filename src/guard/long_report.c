/* layer 4.12: long_report: lines are gathered; contract in long_report.h */
#include "guard/long_report.h"

#include "guard/origin.h"
#include "sample/site.h"
#include "sample/trace.h"
#include "system/fault.h"
#include "system/place.h"
#include "system/report.h"
#include "system/system.h"

#define TEXT_SIZE ((size_t)64 << 10)
#define NAME_SIZE 320

static void long_report_flush(struct long_report *report)
{
	fault_write(report->fd, report->text, report->nr);
	report->nr = 0;
}

static printf_like(2, 0) void long_report_vline(struct long_report *report,
						const char *fmt, va_list args)
{
	char line[REPORT_LINE_SIZE];
	size_t n = report_vbuild(line, fmt, args);

	if (!report->text) {
		fault_write(report->fd, line, n);
		return;
	}
	if (n > TEXT_SIZE - report->nr)
		long_report_flush(report);
	__builtin_memcpy(report->text + report->nr, line, n);
	report->nr += n;
}

void long_report_vbegin(struct long_report *report, const char *fmt,
			va_list args)
{
	*report = (struct long_report){ .fd = fault_vbegin(fmt, args) };
	report->text = place_map(TEXT_SIZE);
}

void long_report_begin(struct long_report *report, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	long_report_vbegin(report, fmt, args);
	va_end(args);
}

void long_report_line(struct long_report *report, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	long_report_vline(report, fmt, args);
	va_end(args);
}

static void long_report_call(struct long_report *report, unsigned i,
			     uint64_t pc)
{
	char name[NAME_SIZE];

	origin_format(name, sizeof(name), pc);
	long_report_line(report, "    #%u %s", i, name);
}

void long_report_calls(struct long_report *report, const uint64_t *pcs,
		       unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		long_report_call(report, i, pcs[i]);
}

void long_report_stack(struct long_report *report, uint32_t stack)
{
	const struct trace *trace;
	unsigned i;

	if (!stack) {
		long_report_line(report, "    no room for the stack");
		return;
	}
	trace = trace_of(stack);
	for (i = 0; i < trace->nr; i++)
		long_report_call(report, i, site_address(trace->sites[i]));
}

void long_report_end(struct long_report *report)
{
	if (report->text) {
		long_report_flush(report);
		system_unmap(report->text, TEXT_SIZE);
	}
	fault_file_close(report->fd);
}
