/* layer 4.2: shuffle: objects in an order that nobody can guess */
#include "cpucache/shuffle.h"

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

/* Every bit of the result hangs on every bit of the counter and the seed. */
static uint64_t draw(void)
{
	uint64_t x = add_relaxed(&next, STEP) ^ seed_get(); // own

	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	x = (x ^ x >> 32) * seed_get();
	return x ^ x >> 32;
}

void shuffle(void **objects, unsigned n)
{
	unsigned other;
	void *object;

	for (; n > 1; n--) {
		other = (unsigned)((draw() >> 32) * n >> 32);
		object = objects[n - 1];
		objects[n - 1] = objects[other];
		objects[other] = object;
	}
}
