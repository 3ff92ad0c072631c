/* layer 3.2: quiet: ages, growth and the brake; contract in quiet.h */
#include "slab/quiet.h"

#include "pageheap/budget.h"
#include "system/system.h"

#define GROWTH_SHIFT 4
#define REGRET_SHIFT 2
#define REGRET_SIZE_LEAST ((size_t)1 << 20)
#define NOTCH_SHIFT 3 /* regretless ages that take a notch away */
#define NOTCHES_MOST 5

/* Whoever lists a slab reads the first line; what all ids write lies apart. */
static struct quiet {
	_Atomic(uint32_t) now;	 /* hint: the age */
	_Atomic(uint32_t) brake; /* hint: notches << NOTCH_SHIFT */
	_Alignas(CACHE_LINE) _Atomic(uint64_t) purged_size; /* hint: lately */
	_Atomic(uint64_t) regret_size;			    /* hint: lately */
	_Atomic(uint64_t) grown_size; /* hint: most resident in this age */
	_Atomic(uint64_t) older_size; /* hint: resident at the next age */
	_Atomic(int64_t) free_size;   /* counter: given less taken */
	_Atomic(int64_t) freed_size;  /* hint: its most in this age */
	_Atomic(int64_t) older_free;  /* hint: free at the next age */
} quiet;

/* What is counted for the brake sinks by half with each age. */
static void brake_adapt(void)
{
	uint64_t purged = load_relaxed(&quiet.purged_size); // hint
	uint64_t regret = load_relaxed(&quiet.regret_size); // hint
	uint32_t brake = load_relaxed(&quiet.brake);	    // hint

	if (regret > REGRET_SIZE_LEAST && regret > purged >> REGRET_SHIFT)
		brake = (uint32_t)min_size(brake + (1 << NOTCH_SHIFT),
					   NOTCHES_MOST << NOTCH_SHIFT);
	else if (brake)
		brake--;
	store_relaxed(&quiet.brake, brake);	       // hint
	store_relaxed(&quiet.purged_size, purged / 2); // hint
	store_relaxed(&quiet.regret_size, regret / 2); // hint
}

/* Returns by how much the heap, or what is free in it, grows in an age. */
static size_t age_step(size_t resident)
{
	return max_size(resident >> GROWTH_SHIFT, QUIET_GROWTH_LEAST);
}

static void free_bounds(int64_t most, size_t step)
{
	store_relaxed(&quiet.freed_size, most);			// hint
	store_relaxed(&quiet.older_free, most + (int64_t)step); // hint
}

void quiet_age_ends(void)
{
	size_t resident = budget_resident_size(), step = age_step(resident);

	store_relaxed(&quiet.grown_size, resident);	   // hint
	store_relaxed(&quiet.older_size, resident + step); // hint
	free_bounds(load_relaxed(&quiet.free_size), step); // counter
	brake_adapt();
	add_relaxed(&quiet.now, 1); // hint
}

bool quiet_heap_grew(void)
{
	size_t resident = budget_resident_size();

	if (likely(resident <= load_relaxed(&quiet.grown_size))) // hint
		return false;
	store_relaxed(&quiet.grown_size, resident);	 // hint
	if (resident >= load_relaxed(&quiet.older_size)) // hint
		quiet_age_ends();
	return true;
}

/* What was taken again since it was free is forgotten but for a step, which is
 * no more than the heap's breath. */
static void free_sinks(int64_t free)
{
	size_t step = age_step(budget_resident_size());

	if (free + (int64_t)step < load_relaxed(&quiet.freed_size)) // hint
		free_bounds(free + (int64_t)step, step);
}

bool quiet_heap_shrank(int64_t size)
{
	int64_t free = add_relaxed(&quiet.free_size, size) + size; // counter

	if (free <= load_relaxed(&quiet.freed_size)) { // hint
		free_sinks(free);
		return false;
	}
	store_relaxed(&quiet.freed_size, free);	     // hint
	if (free >= load_relaxed(&quiet.older_free)) // hint
		quiet_age_ends();
	return true;
}

void quiet_use(struct span *slab)
{
	store_relaxed(&slab->used_at,
		      (uint16_t)load_relaxed(&quiet.now)); // hint
}

unsigned quiet_age(const struct span *slab)
{
	return (uint16_t)(load_relaxed(&quiet.now) -	 // hint
			  load_relaxed(&slab->used_at)); // hint
}

void quiet_note_taken(const struct span *slab, unsigned nr_pages)
{
	if (quiet_age(slab) < REGRET_AGES)
		// hint
		add_relaxed(&quiet.regret_size, nr_pages * system_page_size());
}

void quiet_note_purged(size_t size)
{
	add_relaxed(&quiet.purged_size, size); // hint
}

unsigned quiet_braked(unsigned ages)
{
	return ages << (load_relaxed(&quiet.brake) >> NOTCH_SHIFT); // hint
}
