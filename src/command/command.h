/* layer 7.4: command: what the subcommands of `lanemalloc` share
 *
 * A subcommand is a row of the table in main.c: its name, its arguments by
 * argp, which also makes `--help` and the man page, and a function that gets
 * them parsed. It writes what it was asked for to stdout, and one line of what
 * went wrong to stderr; the exit status is 0, 1, or 2 for wrong usage.
 */
#ifndef LANE_COMMAND_COMMAND_H
#define LANE_COMMAND_COMMAND_H

#include <argp.h>

#include "base/compiler.h"
#include "command/heap.h"

struct subcommand {
	const char *name;
	const struct argp *argp;
	int (*run)(int argc, char **argv);
};

extern const struct subcommand stats_command, run_command, top_command,
	map_command, profile_command, leaks_command, diff_command,
	report_command, serve_command internal;

/* Prints "lanemalloc: text" to stderr; 1, to be returned as exit status. */
int command_fails(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Likewise, of wrong usage, and ends the command with status 2. */
_Noreturn void command_misused(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Of an argument that is missing; what, as in "process or core". */
_Noreturn void command_lacks(const struct argp_state *state, const char *what);

/* What an option is given: a whole number, which k, m or g may follow (powers
 * of 1024); seconds. Anything else is wrong usage and ends the command. */
uint64_t command_number(struct argp_state *state, const char *text);
double command_seconds(struct argp_state *state, const char *text);

/* A process or a core with the library in it. False: it is said why. */
bool command_open(struct image *image, struct root *root, const char *name);

/* The file, or stdout where path is NULL or "-". One that is made is its
 * owner's alone, as it tells of a process's memory. NULL: it is said why. */
FILE *command_output(const char *path);
/* 0, or 1 where it could not be written, which is said. */
int command_output_end(FILE *out, const char *path);

/* For the end of a parser: the one argument, which is wanted; what it is, as in
 * "process or core". */
error_t command_name(int key, char *arg, struct argp_state *state,
		     const char *what, const char **name);

#endif
