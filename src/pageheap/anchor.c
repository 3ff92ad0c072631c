/* layer 2.2: anchor: what the fast paths load first */
#include "pageheap/anchor.h"

#include "system/config.h"

struct anchor anchor;
struct gate_words gate_checked, gate_marked;

_Atomic(uint64_t) *anchor_tags_end(void)
{
	if (config_marks())
		return &gate_marked.tags_end;
	return config_checks_calls() ? &gate_checked.tags_end :
				       &anchor.tags_end;
}

_Atomic(uint64_t) *anchor_small_end(void)
{
	if (config_marks())
		return &gate_marked.small_end;
	return config_checks_calls() ? &gate_checked.small_end :
				       &anchor.small_end;
}

void anchor_set(const struct region *region)
{
	uintptr_t first = (uintptr_t)region->base >> UNIT_SHIFT << 4;

	anchor.base = region->head;
	anchor.tags_first = first;
	anchor.tags = (char *)((uintptr_t)region->tags - first);
}

void anchor_commit(uint32_t nr_units)
{
	_Atomic(uint64_t) *word = anchor_tags_end();
	uint64_t end = load_relaxed(word); // hint

	while (end && end < 16 * (uint64_t)nr_units)
		// hint: the kernel made the tags readable for everybody
		if (cas_relaxed(word, &end, 16 * (uint64_t)nr_units))
			return;
}
