/* layer 3.3: bin: the slabs of one (id, class) that have free objects;
 * protocol in bin.h */
#include "slab/bin.h"

#include "slab/bin_set.h"
#include "slab/slab_purge.h"
#include "system/system.h"

#define SWEEP_MOST 32  /* slabs that one give looks at */
#define STEAL_MOST 16  /* ids that one take looks at */
#define EMPTY_KEPT 2   /* empty slabs that do not start a sweep */
#define GROWTH_LOOKS 8 /* slabs, for each by which the heap grows */
#define SHRINK_LOOKS 8 /* slabs, for SHRINK_SIZE more that is free in them */
#define SHRINK_SIZE 65536

static _Atomic(uint64_t) purged_size; /* atomic: counter */

/* The bin of (owner, class); where the owner never got a set, the giver's. */
static struct bin *bin_of_owner(struct bin_set *giver, struct slab_word w)
{
	struct bin_set *set = bin_set_find(w.owner);

	return set ? &set->bins[w.class] : &giver->bins[w.class];
}

static void partial_push(struct bin *bin, unsigned side, struct span *slab)
{
	add_relaxed(&bin->nr_listed, 1); // hint
	slab_stack_push(&bin->partial[side & 1], slab);
}

static struct span *partial_pop(struct bin *bin, unsigned side)
{
	struct slab_stack *stack = &bin->partial[side & 1];
	struct span *slab;

	while ((slab = slab_stack_top(stack))) {
		slab_check_address(slab);
		slab = slab_stack_try_pop(stack);
		if (!slab)
			continue;
		sub_relaxed(&bin->nr_listed, 1); // hint
		return slab;
	}
	return NULL;
}

static unsigned fill_side(struct bin *bin)
{
	return load_relaxed(&bin->fill) & 1; // hint: both sides are looked at
}

/* One that was in no list of the bin yet. */
static void partial_add(struct bin *bin, struct span *slab)
{
	partial_push(bin, fill_side(bin), slab);
	if (!load_relaxed(&bin->fresh)) // hint
		store_relaxed(&bin->fresh, FRESH_SOME); // hint
}

static struct span *slot_take(struct bin *bin)
{
	if (!load_relaxed(&bin->slot)) // hint: an early look
		return NULL;
	// [bin.slot] with slab_list(): the former holder's work on the slab
	return take_acquire(&bin->slot, NULL);
}

/* The holder lists the slab with its bin: held -> listed. */
static void slab_list(struct bin *bin, struct span *slab)
{
	struct span *none = NULL;

	if (!load_relaxed(&bin->slot) && // hint: an early look
	    // [bin.slot] with slot_take(): this holder's work on the slab
	    cas_release(&bin->slot, &none, slab))
		return;
	partial_add(bin, slab);
}

/* The holder sends a slab that was full to its owner. */
static void slab_send(struct bin *bin, struct span *slab)
{
	struct span *top = slab_inbox_top(&bin->inbox);
	uint16_t depth = 1;

	if (top) {
		slab_check_address(top);
		depth += load_relaxed(&top->depth); // hint
	}
	if (depth > INBOX_DEPTH_MOST) {
		partial_add(bin, slab);
		return;
	}
	store_relaxed(&slab->depth, depth); // held
	slab_inbox_push(&bin->inbox, slab);
}

/* Takes the inbox whole: returns its first slab, held; the rest is pushed to
 * partial at once, last link first in hand. */
static struct span *inbox_take(struct bin *bin)
{
	struct span *first, *slab, *next;

	if (!slab_inbox_top(&bin->inbox))
		return NULL;
	first = slab_inbox_take(&bin->inbox);
	if (!first)
		return NULL;
	slab_check_address(first);
	for (slab = slab_chain_next(first); slab; slab = next) {
		slab_check_address(slab);
		next = slab_chain_next(slab);
		partial_add(bin, slab);
	}
	return first;
}

/* One that may have been counted as empty is in use again. */
static void empty_note_reuse(struct bin *bin, struct span *slab)
{
	uint32_t nr = load_relaxed(&bin->nr_empty); // hint

	if (nr && slab_is_empty(slab))
		cas_relaxed(&bin->nr_empty, &nr, nr - 1); // hint
}

/* A listed slab of the bin, held now; NULL where there is none. */
static struct span *bin_get_own(struct bin *bin, unsigned class)
{
	unsigned fill = fill_side(bin);
	struct span *slab;

	if ((slab = slot_take(bin))) {
		slab_check_listed(slab, class);
		return slab;
	}
	if (!(slab = partial_pop(bin, !fill)) &&
	    !(slab = partial_pop(bin, fill)))
		slab = inbox_take(bin);
	if (!slab)
		return NULL;
	slab_check_listed(slab, class);
	empty_note_reuse(bin, slab);
	return slab;
}

/* A listed slab of another id, adopted. */
static struct span *bin_steal(struct bin_set *set, unsigned id, unsigned class)
{
	unsigned end = bin_set_end(), i;
	struct bin_set *other;
	struct span *slab;

	for (i = 1; i < end && i <= STEAL_MOST; i++) {
		other = bin_set_find((id + i) % end);
		if (!other || other == set)
			continue;
		slab = partial_pop(&other->bins[class], 0);
		if (!slab)
			slab = partial_pop(&other->bins[class], 1);
		if (!slab)
			slab = inbox_take(&other->bins[class]);
		if (!slab)
			continue;
		slab_check_listed(slab, class);
		empty_note_reuse(&other->bins[class], slab);
		slab_adopt(slab, id);
		add_relaxed(&set->nr_steals, 1); // counter
		return slab;
	}
	return NULL;
}

/* No memory for a new slab: any id's, also the one that it takes from next. */
static cold struct span *bin_steal_any(struct bin_set *set, unsigned id,
				       unsigned class)
{
	unsigned end = bin_set_end(), i;
	struct bin_set *other;
	struct span *slab;

	for (i = 0; i < end; i++) {
		other = bin_set_find(i);
		if (!other || other == set)
			continue;
		slab = bin_get_own(&other->bins[class], class);
		if (!slab)
			continue;
		slab_adopt(slab, id);
		add_relaxed(&set->nr_steals, 1); // counter
		return slab;
	}
	return NULL;
}

static struct span *bin_get(struct bin_set *set, unsigned id, unsigned class,
			    bool *made)
{
	struct span *slab = bin_get_own(&set->bins[class], class);

	*made = false;
	if (!slab)
		slab = bin_steal(set, id, class);
	if (slab)
		return slab;
	slab = slab_open(class, id);
	*made = slab;
	return likely(slab) ? slab : bin_steal_any(set, id, class);
}

/* Whoever won a slab that was full puts it where its word says. */
static void bin_place(struct bin_set *set, unsigned id, struct span *slab,
		      struct slab_word w)
{
	if (slab_is_empty(slab)) {
		slab_close(slab);
		return;
	}
	quiet_use(slab);
	if (w.owner == id) {
		slab_list(&set->bins[w.class], slab);
		return;
	}
	add_relaxed(&set->nr_remote_slabs, 1); // counter
	slab_send(bin_of_owner(set, w), slab);
}

/* The holder found no more bits. */
static void bin_leave(struct bin_set *set, unsigned id, struct span *slab)
{
	uint64_t word;

	if (slab_leave(slab, &word))
		return;
	slab_check_word(slab, slab_word_unpack(word));
	bin_place(set, id, slab, slab_word_unpack(word));
}

/* What a sweep may do and what it has done. */
struct sweep {
	unsigned class; /* of the bin */
	unsigned most; /* slabs that it may still look at */
	unsigned age;  /* see COLLECT_AGE_ANY */
	size_t nr_closed;
	size_t purged_size;
};

static bool slab_is_quiet(const struct span *slab, unsigned age)
{
	return age != COLLECT_AGE_NEVER &&
	       quiet_age(slab) >= quiet_braked(age);
}

/* The holder of a listed slab: true if it is closed now. */
static bool sweep_slab(struct sweep *sweep, struct span *slab)
{
	slab_check_listed(slab, sweep->class);
	if (!slab_is_empty(slab) && slab_is_quiet(slab, sweep->age))
		sweep->purged_size += slab_purge(slab);
	if (!slab_is_empty(slab))
		return false;
	slab_close(slab);
	sweep->nr_closed++;
	return true;
}

/* Looks at slabs of one side: empty ones are closed, the others go to the
 * other side. False: the side has no more. */
static bool sweep_side(struct bin *bin, unsigned side, struct sweep *sweep)
{
	struct span *slab;

	for (; sweep->most; sweep->most--) {
		slab = partial_pop(bin, side);
		if (!slab)
			return false;
		if (!sweep_slab(sweep, slab))
			partial_push(bin, !side, slab);
	}
	return true;
}

/* The hint follows what a sweep found. One that came to the end of a side and
 * closed nothing halves it, so that a count gone wrong soon costs no more. */
static void empty_note_sweep(struct bin *bin, size_t nr_closed, bool at_end)
{
	uint32_t nr = load_relaxed(&bin->nr_empty); // hint
	uint32_t rest = nr > nr_closed ? nr - (uint32_t)nr_closed : 0;

	if (at_end && !nr_closed)
		rest = nr / 2;
	store_relaxed(&bin->nr_empty, rest); // hint
}

/* Sweeps the side that is not filled, and where that runs out makes it the
 * one to fill and goes on with the other. */
static void bin_sweep(struct bin *bin, struct sweep *sweep)
{
	size_t nr_before = sweep->nr_closed;
	struct span *slab;
	unsigned i, fill;

	if ((slab = inbox_take(bin)))
		partial_push(bin, fill_side(bin), slab);
	/* Two sweeps at once may pass slabs to and fro. */
	i = 2 * load_relaxed(&bin->nr_listed) + INBOX_DEPTH_MOST; // hint
	sweep->most = i < sweep->most ? i : sweep->most;
	for (i = 0; i < 2; i++) {
		fill = fill_side(bin);
		if (sweep_side(bin, !fill, sweep))
			break;
		store_relaxed(&bin->fill, !fill); // hint
	}
	empty_note_sweep(bin, sweep->nr_closed - nr_before, i > 0);
}

/* A slab in one of the owner's lists became empty. The slot's may stay so. */
static void bin_note_empty(struct bin *bin, struct span *slab, unsigned class)
{
	struct sweep sweep = { .class = class, .most = SWEEP_MOST,
			       .age = COLLECT_AGE_NEVER };
	uint32_t nr;

	if (load_relaxed(&bin->slot) == slab) // hint
		return;
	nr = add_relaxed(&bin->nr_empty, 1) + 1; // hint
	if (nr > EMPTY_KEPT + load_relaxed(&bin->nr_listed) / 8) // hint
		bin_sweep(bin, &sweep);
}

static void bin_note_gift(struct bin_set *set, unsigned id,
			  const struct slab_gift *gift)
{
	struct slab_word w = slab_word_unpack(gift->word);

	if (w.owner != id)
		add_relaxed(&set->nr_remote_frees, gift->nr); // counter
	if (gift->result == SLAB_GIVEN)
		return;
	slab_check_word(gift->slab, w);
	if (gift->result == SLAB_GIVEN_HELD)
		bin_place(set, id, gift->slab, w);
	else
		bin_note_empty(bin_of_owner(set, w), gift->slab, w.class);
}

static void sweep_note(const struct sweep *sweep)
{
	if (!sweep->purged_size)
		return;
	add_relaxed(&purged_size, sweep->purged_size); // counter
	quiet_note_purged(sweep->purged_size);
}

/* partial[fill] has no more; what was passed as too young is there again. */
static void look_ends(struct bin *bin)
{
	bool young = load_relaxed(&bin->fresh) == FRESH_YOUNG; // hint

	if (young)
		store_relaxed(&bin->fill, !fill_side(bin));	      // hint
	store_relaxed(&bin->fresh, young ? FRESH_SOME : FRESH_NONE); // hint
}

/* The holder of a slab out of partial[fill] has had a look at it. */
static void look_passes(struct bin *bin, unsigned fill, struct span *slab,
			struct sweep *sweep)
{
	if (!slab_is_quiet(slab, sweep->age))
		store_relaxed(&bin->fresh, FRESH_YOUNG); // hint
	if (!sweep_slab(sweep, slab))
		partial_push(bin, !fill, slab);
}

/* Looks at slabs that were listed lately, and passes them to the other side.
 * Ends at the end and, without `again`, at one that is not quiet, which stays.
 * Returns how many it looked at. */
static unsigned bin_look_at(struct bin *bin, unsigned class, unsigned looks,
			    bool again)
{
	struct sweep sweep = { .class = class, .age = COLLECT_AGE_QUIET };
	unsigned fill = fill_side(bin), i;
	struct span *slab;

	for (i = 0; i < looks; i++) {
		slab = partial_pop(bin, fill);
		if (!slab) {
			look_ends(bin);
			break;
		}
		slab_check_listed(slab, class);
		if (!again && !slab_is_quiet(slab, COLLECT_AGE_QUIET)) {
			partial_push(bin, fill, slab);
			break;
		}
		look_passes(bin, fill, slab, &sweep);
	}
	sweep_note(&sweep);
	return i;
}

/* As many looks in the set's bins in turn. With `again` those that had a look
 * have another when all of the bin had one. */
static void bin_look(struct bin_set *set, unsigned looks, bool again)
{
	uint32_t class = load_relaxed(&set->look_next); // hint
	struct bin *bin;
	unsigned i;

	for (i = 0; i < NR_CLASSES; i++, class++) {
		if (class - 1 >= NR_CLASSES - 1)
			class = 1;
		bin = &set->bins[class];
		if (again && !load_relaxed(&bin->fresh) && // hint
		    load_relaxed(&bin->nr_listed)) {	    // hint
			store_relaxed(&bin->fresh, FRESH_YOUNG); // hint
			look_ends(bin);
		}
		if (load_relaxed(&bin->fresh)) // hint
			looks -= bin_look_at(bin, class, looks, again);
		if (!looks)
			break;
	}
	store_relaxed(&set->look_next, class); // hint
}

/* More is free in slabs, or less. */
static void bin_note_freed(struct bin_set *set, int64_t size)
{
	size += load_relaxed(&set->freed); // hint
	if (likely(size < SHRINK_SIZE && size > -SHRINK_SIZE)) {
		store_relaxed(&set->freed, size); // hint
		return;
	}
	store_relaxed(&set->freed, 0); // hint
	if (quiet_heap_shrank(size))
		bin_look(set, SHRINK_LOOKS, true);
}

static size_t bin_collect(struct bin *bin, unsigned class, unsigned most,
			  unsigned age)
{
	struct sweep sweep = { .class = class, .most = most, .age = age };
	struct span *slab = slot_take(bin);

	if (slab && !sweep_slab(&sweep, slab))
		slab_list(bin, slab);
	if (load_relaxed(&bin->nr_listed) || // hint
	    slab_inbox_top(&bin->inbox))
		bin_sweep(bin, &sweep);
	sweep_note(&sweep);
	return sweep.nr_closed + sweep.purged_size;
}

/* The holder takes objects; regrets the clean pages among them. */
static unsigned slab_use(struct span *slab, void **out, unsigned most)
{
	uint64_t clean = load_relaxed(&slab->clean); // held
	unsigned n = slab_take(slab, out, most);

	if (unlikely(clean)) {
		clean &= ~load_relaxed(&slab->clean); // held
		quiet_note_taken(slab, bits_count(clean));
	}
	quiet_use(slab);
	return n;
}

unsigned bin_take(unsigned id, unsigned class, void **out, unsigned most)
{
	struct bin_set *set = bin_set_of(id);
	struct span *slab;
	unsigned n = 0;
	bool made;

	while (set && !n) {
		slab = bin_get(set, id, class, &made);
		if (!slab)
			return 0;
		n = slab_use(slab, out, most);
		/* Without a bit it was listed by a sleeper: the next one. */
		if (n == most && slab_has_free(slab))
			slab_list(&set->bins[class], slab);
		else
			bin_leave(set, id, slab);
		if (made && quiet_heap_grew())
			bin_look(set, GROWTH_LOOKS, false);
	}
	if (n)
		bin_note_freed(set, -(int64_t)n * size_classes[class].size);
	return n;
}

/* Bytes of the objects; a hint. */
static size_t gift_size(const struct slab_gift *gift)
{
	unsigned class = slab_word_unpack(gift->word).class;

	if (class >= NR_CLASSES)
		return 0;
	return gift->nr * (size_t)size_classes[class].size;
}

void bin_give(unsigned id, void *const *objects, unsigned n)
{
	struct bin_set *set = n ? bin_set_of(id) : NULL;
	struct slab_gift gift;
	int64_t size = 0;

	if (!n)
		return;
	for (; n; objects += gift.nr, n -= gift.nr) {
		gift = slab_give(objects, n);
		size += (int64_t)gift_size(&gift);
		bin_note_gift(set, id, &gift);
	}
	bin_note_freed(set, size);
}

static size_t bin_collect_id(unsigned id, unsigned most, unsigned age)
{
	struct bin_set *set = bin_set_find(id);
	size_t done = 0;
	unsigned class;

	for (class = 1; set && class < NR_CLASSES; class++)
		done += bin_collect(&set->bins[class], class, most, age);
	return done;
}

size_t bin_collect_all(unsigned most, unsigned age)
{
	unsigned end = bin_set_end(), id;
	size_t done = 0;

	for (id = 0; id < end; id++)
		done += bin_collect_id(id, most, age);
	return done;
}

size_t bin_collect_next(unsigned most, unsigned age)
{
	static _Atomic(uint32_t) next; /* atomic: hint */
	unsigned end = bin_set_end();

	if (!end)
		return 0;
	return bin_collect_id(add_relaxed(&next, 1) % end, most, age); // hint
}

void bin_grow_older(void)
{
	quiet_tick();
}

void bin_stats(struct bin_stats *out)
{
	unsigned end = bin_set_end(), id;
	struct bin_set *set;

	*out = (struct bin_stats){ 0 };
	out->purged_size = load_relaxed(&purged_size); // counter
	for (id = 0; id < end; id++) {
		set = bin_set_find(id);
		if (!set)
			continue;
		out->sets_size += round_up(sizeof(*set), system_page_size());
		out->nr_remote_frees +=
			load_relaxed(&set->nr_remote_frees); // counter
		out->nr_remote_slabs +=
			load_relaxed(&set->nr_remote_slabs); // counter
		out->nr_steals += load_relaxed(&set->nr_steals); // counter
	}
}
