/* layer 1.6: fault: what is said goes to stderr and to a file; contract in
 * fault.h
 */
#include "system/fault.h"

#include "system/config.h"
#include "system/files.h"
#include "system/report.h"
#include "system/system.h"

int fault_file_open(void)
{
	const char *path = config_text(config.report_file);

	return *path ? system_append(path) : -1;
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

_Noreturn void fault(const char *fmt, ...)
{
	char line[REPORT_LINE_SIZE];
	int file = fault_file_open();
	va_list args;

	va_start(args, fmt);
	fault_write(file, line, report_vbuild(line, fmt, args));
	va_end(args);
	fault_file_close(file);
	system_abort();
}
