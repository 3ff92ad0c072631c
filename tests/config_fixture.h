/* What the tests of options share: getauxval() is this file's, so that the
 * program can be a setuid one. */
#ifndef CONFIG_FIXTURE_H
#define CONFIG_FIXTURE_H

#include <stdio.h>
#include <sys/auxv.h>

#include "capture.h"
#include "cases.h"
#include "system/config.h"
#include "system/report.h"

extern char **environ;

static unsigned long at_secure;

unsigned long getauxval(unsigned long type)
{
	switch (type) {
	case AT_SECURE:
		return at_secure;
	case AT_PAGESZ:
		return 4096;
	}
	return 0;
}

/* Options as the table has them, written out once more by another loop. */
#define DEFAULT(name, kind, value, least, most, help) .name = value,
static const struct config defaults = { CONFIG_OPTIONS(DEFAULT) };

/* In the child. */
#define EXPECT(condition)                                                      \
	do {                                                                   \
		if (!(condition)) {                                            \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			fflush(stdout);                                        \
			_exit(1);                                              \
		}                                                              \
	} while (0)

#endif
