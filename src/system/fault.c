/* layer 1.6: fault: what is said goes to stderr and to a file; contract in
 * fault.h
 */
#include "system/fault.h"

#include <errno.h>

#include "system/config.h"
#include "system/files.h"
#include "system/report.h"
#include "system/sandbox.h"
#include "system/system.h"

static int file_open(void)
{
	const char *path = config_text(config.report_file);
	int file = -EPERM;

	if (*path && sandbox_try_rare(SANDBOX_OF_ANYBODY)) {
		file = system_append(path);
		sandbox_rare_done();
	}
	return file;
}

/* A file that is opened where stderr is closed gets its number. */
void fault_write(int file, const char *text, size_t size)
{
	if (file != 2)
		system_write_stderr(text, size);
	if (file >= 0)
		system_write(file, text, size);
}

void fault_file_close(int file)
{
	const char *path = config_text(config.report_file);

	if (file >= 0)
		system_close(file);
	else if (*path)
		report_line("  not written to %s: error %d, %s: see "
			    "report_file",
			    path, -file, report_error(-file));
}

int fault_vbegin(const char *fmt, va_list args)
{
	char line[REPORT_LINE_SIZE];
	size_t n = report_vbuild(line, fmt, args);
	int file;

	system_write_stderr(line, n);
	file = file_open();
	if (file >= 0)
		system_write(file, line, n);
	return file;
}

_Noreturn void fault(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fault_file_close(fault_vbegin(fmt, args));
	va_end(args);
	system_abort();
}
