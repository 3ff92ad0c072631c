/* layer 6.7: output: what the options let the library write by itself
 *
 * Statistics and profiles, at exit and by signals. What cannot be written is
 * said on stderr, with its name and why; of the file for reports of misuse
 * (guard/long_report.h) at load already. Handlers do it all: nothing below
 * waits or allocates. A thread that dies in one leaves what a file's writer
 * leaves (sample/dump.h, front/stats_file.h).
 */
#ifndef LANE_OUTPUT_H
#define LANE_OUTPUT_H

#include "base/compiler.h"

/* Prepares at load, while the program has one thread. */
void output_prepare(void);

/* Writes after the program's own exit handlers. */
void output_finish(void);

#endif
