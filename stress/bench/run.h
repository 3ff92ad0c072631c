/* run: what main.c asks of load.c beyond load.h */
#ifndef RUN_H
#define RUN_H

#include "load.h"

/* Runs it; returns its seconds. */
double load_run(const struct load *load, const struct run *run);

/* The pairs of load_result(), each with a space before it. */
const char *load_results(void);

#endif
