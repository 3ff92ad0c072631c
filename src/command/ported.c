/* layer 7.1: ported: what the library's report.c asks of the system, by libc
 *
 * The command reads its flags as the library reads options (system/option.h),
 * whose text of what would do is made there. Nothing else of the library is in
 * the command, and this is not called for that.
 */
#include <unistd.h>

#include "system/system.h"

void system_write_stderr(const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(STDERR_FILENO, text, size);

		if (n <= 0)
			return;
		text += n;
		size -= (size_t)n;
	}
}
