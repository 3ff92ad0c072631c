/* layer 3.3: bin set: the table of sets; contract in bin_set.h */
#include "slab/bin_set.h"

#include "system/place.h"
#include "system/system.h"

_Atomic(struct bin_set *) bin_sets[NR_IDS_MOST + 1];

static _Atomic(uint32_t) nr_ids;     /* atomic: hint, the highest id + 1 */
static _Atomic(uint32_t) nr_refused; /* atomic: hint, see bin_set_of() */

unsigned bin_set_end(void)
{
	return load_relaxed(&nr_ids);
}

/* Any set that exists: without memory for a new one it serves as well. NULL
 * only before the first take. */
static struct bin_set *bin_set_borrow(void)
{
	unsigned end = bin_set_end(), id;
	struct bin_set *set = NULL;

	for (id = 0; id < end && !set; id++)
		set = bin_set_find(id);
	return set;
}

/* Makes the set of an id that is new. */
static struct bin_set *bin_set_add(unsigned id)
{
	struct bin_set *set = place_map(sizeof(*set)), *found = NULL;

	if (!set) {
		add_relaxed(&nr_refused, 1);
		return bin_set_borrow();
	}
	if (id != SLAB_SAMPLED)
		raise_relaxed(&nr_ids, id + 1);
	// [bin_sets] with bin_set_find(): the set's zeros
	if (!cas_release(&bin_sets[id], &found, set)) {
		system_unmap(set, round_up(sizeof(*set), system_page_size()));
		return bin_set_find(id);
	}
	return set;
}

/* Where there is no memory for a set, the system is not asked at every free. */
struct bin_set *bin_set_of(unsigned id)
{
	struct bin_set *set = bin_set_find(id);

	if (likely(set))
		return set;
	if (load_relaxed(&nr_refused) % SET_REFUSED_PASSES) {
		add_relaxed(&nr_refused, 1);
		set = bin_set_borrow();
	}
	return set ? set : bin_set_add(id);
}
