/* layer 1.3: draw: numbers that nobody can guess; contract in draw.h */
#include "system/draw.h"

#include "base/atomic.h"
#include "system/system.h"

#define STEP UINT64_C(0x9e3779b97f4a7c15)

static _Atomic(uint64_t) next; /* atomic: own, each value is used once */
static _Atomic(uint64_t) seed; /* atomic: hint, set once; 0: not yet */

static uint64_t seed_get(void)
{
	uint64_t found = load_relaxed(&seed), mine;

	if (likely(found))
		return found;
	mine = system_random() | 1;
	return cas_relaxed(&seed, &found, mine) ? mine : found;
}

/* The step is odd, so that no number of a draw comes again. */
struct draw draw_begin(void)
{
	uint64_t mine = seed_get();
	uint64_t turn = add_relaxed(&next, STEP); // own

	return (struct draw){
		.state = bits_scramble(turn ^ mine) * mine,
		.step = bits_scramble(mine) | 1,
	};
}
