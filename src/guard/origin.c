/* layer 4.11: origin: where code is, as module+offset; contract in origin.h */
#include "guard/origin.h"

#include "sample/fde.h"
#include "system/environ.h"
#include "system/files.h"
#include "system/peek.h"
#include "system/report.h"
#include "system/sandbox.h"

#define NAME_MOST 256
#define PROGRAM_NAME 31 /* AT_EXECFN */

/* The loader knows the program by no name. */
static void program_name(char name[NAME_MOST])
{
	const char *given = getauxval ? (const char *)getauxval(PROGRAM_NAME) :
					NULL;
	long n = -1;

	if (!sandbox_known())
		n = system_read_link("/proc/self/exe", name, NAME_MOST);
	if (n <= 0)
		n = report_format(name, NAME_MOST, "%s",
				  given ? given : "program");
	name[n < NAME_MOST ? n : NAME_MOST - 1] = '\0';
}

static void name_read(const char *at, char name[NAME_MOST])
{
	size_t n = system_peek(name, at, NAME_MOST - 1);

	name[n] = '\0';
	if (!n)
		report_format(name, NAME_MOST, "%s", at);
	if (!name[0])
		program_name(name);
}

int origin_format(char *buf, size_t size, uint64_t pc)
{
	char name[NAME_MOST];
	const char *file;
	uint64_t address;

	if (!fde_in_file(pc - 1, &file, &address))
		return report_format(buf, size, "%p", (void *)(pc - 1));
	name_read(file, name);
	return report_format(buf, size, "%s+0x%lx", name, address);
}
