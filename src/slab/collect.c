/* layer 3.3: collect: listed slabs are closed and purged; see collect.h */
#include "slab/collect.h"

#include "slab/bin_list.h"
#include "slab/slab_purge.h"
#include "slab/wane.h"

#define COLLECT_MOST 32 /* slabs that one give looks at */
#define EMPTY_KEPT 2	/* empty slabs that do not start a collection */
#define GROWTH_LOOKS 8	/* slabs, for each by which the heap grows */
#define SHRINK_LOOKS 16 /* slabs, for SHRINK_SIZE more that is free in them */
#define SHRINK_SIZE 65536
#define DUE_SHIFT 3 /* an eighth of what a bin holds has come back */

static _Atomic(uint64_t) purged_size; /* atomic: counter */

/* What a collection may do and what it has done. */
struct collector {
	unsigned size_class; /* of the bin */
	unsigned most;	     /* slabs that it may still look at */
	unsigned age;	     /* see COLLECT_AGE_ANY */
	bool young;	     /* some were not quiet: they keep what they have */
	size_t nr_closed;
	size_t purged_size;
};

static bool slab_is_quiet(const struct span *slab, unsigned age)
{
	return age != COLLECT_AGE_NEVER && quiet_age(slab) >= quiet_braked(age);
}

/* The holder of a listed slab purges it where it is quiet and closes it where
 * it is empty; true: it is closed. */
static bool collect_slab(struct collector *collector, struct span *slab)
{
	slab_check_listed(slab, collector->size_class);
	if (!slab_is_empty(slab) && slab_is_quiet(slab, collector->age))
		collector->purged_size += slab_purge(slab);
	if (!slab_is_empty(slab)) {
		collector->young |= !slab_is_quiet(slab, collector->age);
		return false;
	}
	slab_close(slab);
	collector->nr_closed++;
	return true;
}

/* Looks at slabs of one side: empty ones are closed, the others go to the
 * other side. False: the side has no more. */
static bool collect_side(struct bin *bin, unsigned side,
			 struct collector *collector)
{
	struct span *slab;

	for (; collector->most; collector->most--) {
		slab = partial_pop(bin, side);
		if (!slab)
			return false;
		if (!collect_slab(collector, slab))
			partial_push(bin, !side, slab);
	}
	return true;
}

/* The hint follows what a collection found. One that came to the end of a side
 * and closed nothing halves it, so that a count gone wrong soon costs no
 * more. */
static void empty_note_collected(struct bin *bin, size_t nr_closed, bool at_end)
{
	uint32_t nr = load_relaxed(&bin->nr_empty);
	uint32_t rest = nr > nr_closed ? nr - (uint32_t)nr_closed : 0;

	if (at_end && !nr_closed)
		rest = nr / 2;
	store_relaxed(&bin->nr_empty, rest);
}

/* A collection passes to the other side what no look has seen yet, or what it
 * came too early for itself: a look has to find that there. */
static void fresh_note_collected(struct bin *bin,
				 const struct collector *collector)
{
	bool late = collector->young && collector->age != COLLECT_AGE_NEVER;

	if (late || load_relaxed(&bin->fresh) == FRESH_SOME)
		store_relaxed(&bin->fresh, FRESH_YOUNG);
}

/* Collects the side that is not filled, and where that runs out makes it the
 * one to fill and goes on with the other. */
static void collect_lists(struct bin *bin, struct collector *collector)
{
	size_t nr_before = collector->nr_closed;
	struct span *slab;
	unsigned i, fill;

	if ((slab = inbox_take(bin)))
		partial_push(bin, fill_side(bin), slab);
	/* Two collections at once may pass slabs to and fro. */
	i = 2 * load_relaxed(&bin->nr_listed) + INBOX_DEPTH_MOST; // hint
	collector->most = i < collector->most ? i : collector->most;
	for (i = 0; i < 2; i++) {
		fill = fill_side(bin);
		if (collect_side(bin, !fill, collector))
			break;
		store_relaxed(&bin->fill, !fill);
	}
	empty_note_collected(bin, collector->nr_closed - nr_before, i > 0);
	fresh_note_collected(bin, collector);
}

void bin_note_empty(struct bin *bin, struct span *slab, unsigned size_class)
{
	struct collector collector = { .size_class = size_class,
				       .most = COLLECT_MOST,
				       .age = COLLECT_AGE_NEVER };
	uint32_t nr;

	if (load_relaxed(&bin->slot) == slab) // hint
		return;
	nr = add_relaxed(&bin->nr_empty, 1) + 1;
	if (nr > EMPTY_KEPT + load_relaxed(&bin->nr_listed) / 8)
		collect_lists(bin, &collector);
}

static void collector_note(const struct collector *collector)
{
	if (!collector->purged_size)
		return;
	add_relaxed(&purged_size, collector->purged_size);
	quiet_note_purged(collector->purged_size);
}

/* partial[fill] has no more; what was passed as too young is there again. */
static void look_ends(struct bin *bin)
{
	bool young = load_relaxed(&bin->fresh) == FRESH_YOUNG;

	if (young)
		store_relaxed(&bin->fill, !fill_side(bin));
	store_relaxed(&bin->fresh, young ? FRESH_SOME : FRESH_NONE);
	store_relaxed(&bin->looked, load_relaxed(&bin->given));
}

/* The holder of a slab out of partial[fill] has a look at it. A young one stays
 * as it is, also if it is empty: the program may breathe. */
static void look_passes(struct bin *bin, unsigned fill, struct span *slab,
			struct collector *collector)
{
	if (!slab_is_quiet(slab, collector->age))
		store_relaxed(&bin->fresh, FRESH_YOUNG);
	else if (collect_slab(collector, slab))
		return;
	partial_push(bin, !fill, slab);
}

/* Looks at slabs that were listed lately, and passes them to the other side.
 * Ends at the end and, without `again`, at one that is not quiet, which stays.
 * Returns how many it looked at. */
static unsigned bin_look_at(struct bin *bin, unsigned size_class,
			    unsigned looks, bool again)
{
	struct collector collector = { .size_class = size_class,
				       .age = COLLECT_AGE_QUIET };
	unsigned fill = fill_side(bin), i;
	struct span *slab;

	for (i = 0; i < looks; i++) {
		slab = partial_pop(bin, fill);
		if (!slab) {
			look_ends(bin);
			break;
		}
		slab_check_listed(slab, size_class);
		if (!again && !slab_is_quiet(slab, COLLECT_AGE_QUIET)) {
			partial_push(bin, fill, slab);
			break;
		}
		look_passes(bin, fill, slab, &collector);
	}
	if (collector.nr_closed)
		empty_note_collected(bin, collector.nr_closed, false);
	collector_note(&collector);
	return i;
}

/* Whether so much came back since the slabs of the bin had their looks that
 * another is worth it. A take sets bin.given back to 0. */
static bool look_is_due(struct bin *bin, unsigned size_class)
{
	uint64_t nr = load_relaxed(&bin->nr_listed);
	uint32_t given = load_relaxed(&bin->given);
	uint32_t looked = load_relaxed(&bin->looked);
	uint32_t since = looked <= given ? given - looked : given;

	return since > nr * size_classes[size_class].nr_objects >> DUE_SHIFT;
}

/* Where all slabs of the bin had a look they are to have another. */
static void look_begins_anew(struct bin *bin)
{
	store_relaxed(&bin->fresh, FRESH_YOUNG);
	look_ends(bin);
}

/* Takes as many looks in the set's bins in turn. Where all of a bin had a look
 * they have another when it is due, with `again` at once. */
static void bin_look(struct bin_set *set, unsigned looks, bool again)
{
	uint32_t size_class = load_relaxed(&set->look_next);
	struct bin *bin;
	unsigned i;

	for (i = 0; i < NR_CLASSES; i++, size_class++) {
		if (size_class - 1 >= NR_CLASSES - 1)
			size_class = 1;
		bin = &set->bins[size_class];
		if (!load_relaxed(&bin->fresh) &&
		    load_relaxed(&bin->nr_listed) &&
		    (again || look_is_due(bin, size_class)))
			look_begins_anew(bin);
		if (load_relaxed(&bin->fresh))
			looks -= bin_look_at(bin, size_class, looks, again);
		if (!looks)
			break;
	}
	store_relaxed(&set->look_next, size_class);
}

void bin_note_growth(struct bin_set *set)
{
	bin_look(set, GROWTH_LOOKS, false);
}

/* A step stays untold, so that a large batch that comes and goes is in the
 * set's count alone, and writes to nothing that all ids share. */
void bin_note_freed(struct bin_set *set, int64_t size)
{
	int64_t rest = size > 0 ? SHRINK_SIZE : -SHRINK_SIZE;

	size += load_relaxed(&set->freed);
	if (likely(size < 2 * SHRINK_SIZE && size > -2 * SHRINK_SIZE)) {
		store_relaxed(&set->freed, size);
		return;
	}
	store_relaxed(&set->freed, rest);
	if (quiet_heap_shrank(size - rest))
		bin_look(set, SHRINK_LOOKS, true);
}

static size_t bin_collect(struct bin *bin, unsigned size_class, unsigned most,
			  unsigned age)
{
	struct collector collector = { .size_class = size_class,
				       .most = most,
				       .age = age };
	struct span *slab = slot_take(bin);

	wane_forget(bin);
	if (slab && !collect_slab(&collector, slab))
		slab_list(bin, slab);
	if (load_relaxed(&bin->nr_listed) || slab_inbox_top(&bin->inbox))
		collect_lists(bin, &collector);
	collector_note(&collector);
	return collector.nr_closed + collector.purged_size;
}

static size_t bin_collect_id(unsigned id, unsigned most, unsigned age)
{
	struct bin_set *set = bin_set_find(id);
	size_t done = 0;
	unsigned size_class;

	for (size_class = 1; set && size_class < NR_CLASSES; size_class++)
		done += bin_collect(&set->bins[size_class], size_class, most,
				    age);
	return done;
}

size_t bin_collect_all(unsigned most, unsigned age)
{
	unsigned end = bin_set_end(), id;
	size_t done = bin_collect_id(SLAB_SAMPLED, most, age);

	for (id = 0; id < end; id++)
		done += bin_collect_id(id, most, age);
	return done;
}

size_t bin_collect_next(unsigned most, unsigned age)
{
	static _Atomic(uint32_t) next; /* atomic: hint */
	unsigned end = bin_set_end(), id;

	if (!end)
		return 0;
	id = add_relaxed(&next, 1) % (end + 1);
	return bin_collect_id(id < end ? id : SLAB_SAMPLED, most, age);
}

void bin_note_reuse(struct bin *bin, struct span *slab)
{
	uint32_t nr = load_relaxed(&bin->nr_empty);

	if (nr && slab_is_empty(slab))
		cas_relaxed(&bin->nr_empty, &nr, nr - 1);
}

uint64_t collect_purged_size(void)
{
	return load_relaxed(&purged_size);
}
