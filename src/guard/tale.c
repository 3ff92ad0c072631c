/* layer 4.12: tale: a report of many lines; contract in tale.h */
#include "guard/tale.h"

#include "guard/origin.h"
#include "sample/site.h"
#include "sample/trace.h"
#include "system/fault.h"
#include "system/place.h"
#include "system/report.h"
#include "system/system.h"

#define TEXT_SIZE ((size_t)64 << 10)
#define NAME_SIZE 320

static void tale_flush(struct tale *tale)
{
	fault_write(tale->fd, tale->text, tale->nr);
	tale->nr = 0;
}

static printf_like(2, 0) void tale_vline(struct tale *tale, const char *fmt,
					 va_list args)
{
	char line[REPORT_LINE_SIZE];
	size_t n = report_vbuild(line, fmt, args);

	if (!tale->text) {
		fault_write(tale->fd, line, n);
		return;
	}
	if (n > TEXT_SIZE - tale->nr)
		tale_flush(tale);
	__builtin_memcpy(tale->text + tale->nr, line, n);
	tale->nr += n;
}

void tale_vbegin(struct tale *tale, const char *fmt, va_list args)
{
	*tale = (struct tale){ .fd = fault_vbegin(fmt, args) };
	tale->text = place_map(TEXT_SIZE);
}

void tale_begin(struct tale *tale, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tale_vbegin(tale, fmt, args);
	va_end(args);
}

void tale_line(struct tale *tale, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tale_vline(tale, fmt, args);
	va_end(args);
}

static void tale_call(struct tale *tale, unsigned i, uint64_t pc)
{
	char name[NAME_SIZE];

	origin_format(name, sizeof(name), pc);
	tale_line(tale, "    #%u %s", i, name);
}

void tale_calls(struct tale *tale, const uint64_t *pcs, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		tale_call(tale, i, pcs[i]);
}

void tale_stack(struct tale *tale, uint32_t stack)
{
	const struct trace *trace;
	unsigned i;

	if (!stack) {
		tale_line(tale, "    no room for the stack");
		return;
	}
	trace = trace_of(stack);
	for (i = 0; i < trace->nr; i++)
		tale_call(tale, i, site_address(trace->sites[i]));
}

void tale_end(struct tale *tale)
{
	if (tale->text) {
		tale_flush(tale);
		system_unmap(tale->text, TEXT_SIZE);
	}
	fault_file_close(tale->fd);
}
