/* layer 4.8: peak: how much the program held at most, by stack */
#include "sample/peak.h"

#include "base/atomic.h"
#include "sample/trace.h"

static _Atomic(uint64_t) live_space; /* atomic: counter, bytes in use */
static _Atomic(uint64_t) peak_space; /* atomic: hint, those at the peak */

/* Copies what is in use to the peak's counts, unless another does for a peak
 * above this one. One that slept may set a count of a later moment. */
static cold void peak_copy(uint64_t peak)
{
	struct trace *trace;
	uint32_t at = 0;

	while ((trace = trace_next(&at))) {
		if (load_relaxed(&peak_space) != peak)
			return;
		store_relaxed(&trace->counts[TRACE_PEAK_OBJECTS],
			      trace_less(trace, TRACE_ALLOC_OBJECTS,
					 TRACE_FREED_OBJECTS));
		store_relaxed(&trace->counts[TRACE_PEAK_SPACE],
			      trace_less(trace, TRACE_ALLOC_SPACE,
					 TRACE_FREED_SPACE));
	}
}

static void peak_note(uint64_t space, uint64_t most)
{
	uint64_t peak = load_relaxed(&peak_space);

	if (space <= peak + most)
		return;
	if (cas_relaxed(&peak_space, &peak, space))
		peak_copy(space);
}

void sampler_note_peak(void)
{
	peak_note(load_relaxed(&live_space), 0);
}

/* Notes a peak that is higher by an eighth at least, so that the copies of a
 * heap that grows stay few. */
static void peak_note_grown(uint64_t space)
{
	peak_note(space, load_relaxed(&peak_space) / 8);
}

void peak_add(uint64_t space)
{
	peak_note_grown(add_relaxed(&live_space, space) + space);
}

void peak_sub(uint64_t space)
{
	sub_relaxed(&live_space, space);
}
