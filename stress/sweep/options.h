/* options: the command line, beside struct settings, which servers see */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "sweep.h"

extern struct options {
	const char *library, *range, *functions, *modes, *hits;
	const char *scenario;       /* NULL: all */
	const char *row;            /* "NAME,FILE" */
	const char *explain;        /* a script */
	const char *state, *report; /* files */
	const char *proven, *prover; /* a ledger, and its script */
	unsigned jobs;
	unsigned failures;                /* printed at most, of each mode */
	unsigned most_live, most_claimed; /* stranded; more is a fault */
	bool steps, last;                 /* other places to stop */
	const char *operation;            /* of steps; NULL: all */
	unsigned most;                    /* stops of one, in a mode */
	unsigned threads, trials, calls;  /* of last */
	bool loose;
	unsigned server;
	int fd;                           /* -1: this is the driver */
	bool expect_blocked;
	bool skip_proven, add_proven;
} options;

/* Ends the process where something is wrong. */
void options_take(int argc, char **argv, struct settings *settings);

#endif
