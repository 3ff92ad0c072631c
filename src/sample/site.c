/* layer 4.6: site: the addresses in all stacks; contract in site.h */
#include "sample/site.h"

#include "base/bits.h"
#include "sample/levels.h"

static _Atomic(uint64_t) *sites; /* const after start */
static unsigned nr_levels;	 /* const after start */

void site_start(void *entries, uint64_t nr)
{
	sites = entries;
	nr_levels = levels_within(nr);
}

uint32_t site_nr(void)
{
	return levels_entries(nr_levels);
}

uint64_t site_address(uint32_t site)
{
	return load_relaxed(&sites[site - 1]); // own: the word is all of it
}

/* The address is there now, perhaps by another thread. */
static bool entry_try(_Atomic(uint64_t) *entry, uint64_t address)
{
	uint64_t found = load_relaxed(entry); // own: the word is all of it

	if (!found)
		// own: the word is all of it
		cas_relaxed(entry, &found, address);
	return !found || found == address;
}

uint32_t site_intern(uint64_t address)
{
	uint64_t hash = bits_scramble(address);
	unsigned level, i;

	for (level = 0; level < nr_levels; level++) {
		uint32_t at = level_bucket(hash, level);

		for (i = 0; i < BUCKET_ENTRIES; i++)
			if (entry_try(&sites[at + i], address))
				return at + i + 1;
	}
	return 0;
}
