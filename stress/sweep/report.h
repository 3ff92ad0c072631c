/* report: what the driver prints */
#ifndef REPORT_H
#define REPORT_H

#include "sweep.h"

#include <stdio.h>

extern struct report {
	FILE *file;                       /* a copy of all, NULL: none */
	unsigned failures;                /* printed at most, of each mode */
	unsigned most_live, most_claimed; /* stranded; more is a fault */
} report;

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
