/* layer 5.3: refusal: requests that the hard limit refuses are told on stderr
 *
 * Once in TOLD_SECONDS and process: those who are refused elect one by a CAS on
 * the word that has both, so a child of fork, whose word is its parent's, tells
 * its own; one of vfork, which has the word itself, is counted and tells
 * nothing. Nothing is said where stderr would not take it at once, and in a
 * sandbox; nor where 2 is by now another file than it was when the limit was
 * set, and none that is appended to: the program has closed stderr, and its
 * data may stand there. A thread that dies behind the CAS leaves its line
 * unsaid. Lock-free, safe in handlers.
 */
#ifndef LANE_REFUSAL_H
#define LANE_REFUSAL_H

#include "base/compiler.h"

/* Tells, by who has tried all that there is, that a request of so many bytes
 * failed, if the hard limit is the reason. */
void pressure_refused(size_t size);

/* Keeps what stderr is where there is a limit: a program that closes it gets
 * the number 2 for the next file that it opens. */
void stderr_note(uint64_t hard);

#endif
