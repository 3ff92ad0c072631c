/* layer 4.14: sweep: damage beside live blocks; contract in sweep.h */
#include "guard/sweep.h"

#include "guard/pool.h"
#include "guard/verdict.h"

unsigned sweep_guarded(const char *verb)
{
	struct slot_story story;
	const void *damage;
	struct slot *slot;
	unsigned nr = 0;
	uint32_t i;

	for (i = 0; (slot = guarded_slot(i)); i++) {
		damage = guarded_look(slot, &story);
		if (!damage)
			continue;
		nr++;
		verdict_damage((const void *)(uintptr_t)story.block, damage,
			       verb);
	}
	return nr;
}
