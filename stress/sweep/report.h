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
/* Whether more is stranded there than may be. */
bool report_strands(const struct result *r);
/* Where the list of what is reached is, beside the report. */
void report_list(char *out, size_t size);
extern const char *const outcome_names[NR_OUTCOMES];
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

/* proven.c; nothing of it where no ledger is named */

/* How much of what is reached is proven. */
void proven_say(void);
/* Of this mode: what is, is left out; what was tried goes there. */
void proven_skip(void);
void proven_add(void);

#endif
