/* layer 4.8: peak: how much the program held at most, by stack
 *
 * Of all samples together what is in use is counted, and where that is more
 * than ever, by an eighth at least, what each stack has in use is copied to the
 * stack's counts of the peak. One CAS elects who copies; who copies for a
 * higher peak takes over. One that slept may set a count of a later moment, and
 * a thread that dies in the middle leaves the counts of two moments until the
 * next peak. Wait-free, in time proportional to the stacks for a copy.
 */
#ifndef LANE_PEAK_H
#define LANE_PEAK_H

#include "base/compiler.h"

/* So many bytes more, or less, are in use. */
void peak_add(uint64_t space);
void peak_sub(uint64_t space);

/* Makes what the program holds now the peak if it is more. */
void sampler_note_peak(void);

#endif
