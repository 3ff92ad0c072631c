/* point: where the input may interrupt a call of the library
 *
 * A point stands before each atomic operation and each rseq section. When the
 * countdown reaches 0 there, fuzz_interrupt() plays what may happen to a
 * thread at such a place: it moves to another CPU, other threads run, it
 * dies. Who sets the countdown is interrupt.h.
 */
#ifndef FUZZ_POINT_H
#define FUZZ_POINT_H

#include <stdbool.h>
#include <stdint.h>

extern uint64_t fuzz_countdown; /* points until the interruption */
extern uint32_t fuzz_abort_bits; /* the next sections, lowest bit first */

void fuzz_interrupt(void);

static inline void fuzz_point(void)
{
	if (__builtin_expect(!--fuzz_countdown, 0))
		fuzz_interrupt();
}

/* Whether the section that is about to run is aborted. */
static inline bool fuzz_aborts(void)
{
	bool aborts = fuzz_abort_bits & 1;

	fuzz_abort_bits >>= 1;
	fuzz_point();
	return aborts;
}

#endif
