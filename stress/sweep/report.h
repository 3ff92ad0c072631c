/* report: what the driver prints */
#ifndef REPORT_H
#define REPORT_H

#include "sweep.h"

/* A copy of all that is said goes there, too; more: behind what is there. */
void report_open(const char *path, bool more);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* How many scenarios reach this instruction. */
unsigned scenarios_reaching(uint32_t instruction);
void report_survey(void);
unsigned report_failures(void);
/* What remains without a stop, though nothing should. */
unsigned report_rest(void);
struct unreached {
	const char *explain; /* the script that finds reasons; NULL: none */
	const char *library, *report;
};
/* What no survey reached. Not 0: some of it has no reason. */
unsigned report_unreached(const struct unreached *u);
void report_row(const char *name_and_file);
void report_mode(int mode, double seconds);

#endif
