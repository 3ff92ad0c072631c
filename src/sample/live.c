/* layer 4.6: live: the sampled blocks that the program holds; contract in
 * live.h */
#include "sample/live.h"

#include "base/bits.h"
#include "sample/levels.h"

static _Atomic(uint64_t) *keys;	  /* const after start; words: atomic */
static struct live_info *infos;	  /* const after start; held */
static unsigned nr_levels;	  /* const after start */
static _Atomic(uint32_t) nr_used; /* atomic: levels that may have keys */

uint64_t live_start(void *memory, uint64_t size)
{
	nr_levels = levels_within(size / LIVE_ENTRY_SIZE);
	keys = memory;
	infos = (void *)(keys + levels_entries(nr_levels));
	return levels_entries(nr_levels);
}

static bool entry_take(uint32_t at, uint64_t key, const struct live_info *info)
{
	uint64_t found = load_relaxed(&keys[at]); // hint

	// [live.key] with live_remove(): the reads of whose entry it was
	if (found || !cas_acquire(&keys[at], &found, key))
		return false;
	infos[at] = *info;
	return true;
}

bool live_add(const void *block, const struct live_info *info)
{
	uint64_t key = (uintptr_t)block, hash = bits_scramble(key);
	unsigned level, i;

	for (level = 0; level < nr_levels; level++) {
		uint32_t at = level_bucket(hash, level);

		// held: the block's holder sees it
		raise_relaxed(&nr_used, level + 1);
		for (i = 0; i < BUCKET_ENTRIES; i++)
			if (entry_take(at + i, key, info))
				return true;
	}
	return false;
}

bool live_remove(const void *block, struct live_info *info)
{
	uint64_t key = (uintptr_t)block, hash = bits_scramble(key), found;
	unsigned level, i, end = load_relaxed(&nr_used); // held: see live.h

	for (level = 0; level < end; level++) {
		uint32_t at = level_bucket(hash, level);

		for (i = at; i < at + BUCKET_ENTRIES; i++) {
			found = load_relaxed(&keys[i]); // held: ours is
			if (found != key)
				continue;
			*info = infos[i];
			// [live.key] with entry_take(): the reads before
			return cas_release(&keys[i], &found, 0);
		}
	}
	return false;
}

bool live_next(uint32_t *at, struct live_info *info)
{
	uint32_t end = levels_entries(load_relaxed(&nr_used)), i; // hint
	uint64_t key;

	while (*at < end) {
		i = (*at)++;
		// [live.key] with entry_take(), live_remove(): who wrote it
		key = load_acquire(&keys[i]);
		if (!key)
			continue;
		__builtin_memcpy(info, &infos[i], sizeof(*info));
		if (load_relaxed(&keys[i]) == key) // hint: as it was
			return true;
	}
	return false;
}

uint64_t live_nr(void)
{
	uint32_t i, end = levels_entries(load_relaxed(&nr_used)); // hint
	uint64_t nr = 0;

	for (i = 0; i < end; i++)
		nr += load_relaxed(&keys[i]) != 0; // hint
	return nr;
}
