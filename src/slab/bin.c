/* layer 3.3: bin: the slabs of one (id, class) that have free objects;
 * protocol in bin.h */
#include "slab/bin.h"

#include "slab/bin_list.h"
#include "slab/bin_set.h"
#include "slab/collect.h"
#include "system/nodes.h"
#include "system/system.h"

#define STEAL_MOST 16 /* ids that one take looks at */

/* The bin of (owner, class); where the owner never got a set, the giver's. */
static struct bin *bin_of_owner(struct bin_set *giver, struct slab_word w)
{
	struct bin_set *set = bin_set_find(w.owner);

	return set ? &set->bins[w.size_class] : &giver->bins[w.size_class];
}

/* Waning slabs come last. */
static struct span *bin_get_listed(struct bin *bin)
{
	struct span *slab = partial_take(bin, false);

	if (!slab)
		slab = inbox_take(bin);
	return slab ? slab : partial_take(bin, true);
}

/* A listed slab of the bin, held now; NULL where there is none. */
static struct span *bin_get_own(struct bin *bin, unsigned size_class)
{
	struct span *slab;

	if ((slab = slot_take(bin))) {
		slab_check_listed(slab, size_class);
		return slab;
	}
	slab = bin_get_listed(bin);
	if (!slab)
		return NULL;
	slab_check_listed(slab, size_class);
	bin_note_reuse(bin, slab);
	return slab;
}

/* A listed slab of another id, adopted; of one that is far not before memory
 * is short. */
static struct span *bin_steal(struct bin_set *set, unsigned id,
			      unsigned size_class)
{
	unsigned end = bin_set_end(), node = node_of_id(id), i, looks = 0;
	struct bin_set *other;
	struct span *slab;

	for (i = 1; i < end && looks < STEAL_MOST; i++) {
		if (nodes_differ(node, node_of_id((id + i) % end)))
			continue;
		looks++;
		other = bin_set_find((id + i) % end);
		if (!other || other == set)
			continue;
		slab = bin_get_listed(&other->bins[size_class]);
		if (!slab)
			continue;
		slab_check_listed(slab, size_class);
		bin_note_reuse(&other->bins[size_class], slab);
		slab_adopt(slab, id);
		add_relaxed(&set->nr_steals, 1); // counter
		return slab;
	}
	return NULL;
}

/* No memory for a new slab: any id's, also the one that it takes from next. */
static cold struct span *bin_steal_slots(struct bin_set *set, unsigned id,
					 unsigned size_class)
{
	unsigned end = bin_set_end(), i;
	struct bin_set *other;
	struct span *slab;

	for (i = 0; i < end; i++) {
		other = bin_set_find(i);
		if (!other || other == set)
			continue;
		slab = bin_get_own(&other->bins[size_class], size_class);
		if (!slab)
			continue;
		slab_adopt(slab, id);
		add_relaxed(&set->nr_steals, 1); // counter
		return slab;
	}
	return NULL;
}

static struct span *bin_get(struct bin_set *set, unsigned id,
			    unsigned size_class, bool *made)
{
	struct span *slab = bin_get_own(&set->bins[size_class], size_class);

	*made = false;
	if (!slab && id != SLAB_SAMPLED)
		slab = bin_steal(set, id, size_class);
	if (slab)
		return slab;
	slab = slab_open(size_class, id);
	*made = slab;
	if (likely(slab) || id == SLAB_SAMPLED)
		return slab;
	return bin_steal_slots(set, id, size_class);
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
		slab_list(&set->bins[w.size_class], slab);
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
		bin_note_empty(bin_of_owner(set, w), gift->slab, w.size_class);
}

/* The holder takes objects; regrets the clean pages among them. */
static unsigned slab_use(struct span *slab, void **out, unsigned most)
{
	uint64_t clean = load_relaxed(&slab->clean); // held
	unsigned n;

	if (unlikely(slab_is_waning(slab)))
		slab_revive(slab);
	n = slab_take(slab, out, most);
	if (unlikely(clean)) {
		clean &= ~load_relaxed(&slab->clean); // held
		quiet_note_taken(slab, bits_count(clean));
	}
	quiet_use(slab);
	return n;
}

static force_inline unsigned bin_take_of(struct bin_set *set, unsigned id,
					 unsigned size_class, void **out,
					 unsigned most)
{
	struct span *slab;
	unsigned n = 0;
	bool made;

	while (set && !n) {
		slab = bin_get(set, id, size_class, &made);
		if (!slab)
			return 0;
		n = slab_use(slab, out, most);
		/* Without a bit it was listed by a sleeper: the next one. */
		if (n == most && slab_has_free(slab))
			slab_list(&set->bins[size_class], slab);
		else
			bin_leave(set, id, slab);
		if (made && quiet_heap_grew())
			bin_note_growth(set);
	}
	if (n) {
		bin_note_freed(set,
			       -(int64_t)n * size_classes[size_class].size);
		bin_note_taken(&set->bins[size_class]);
	}
	return n;
}

unsigned bin_take(unsigned id, unsigned size_class, void **out, unsigned most)
{
	return bin_take_of(bin_set_of(id), id, size_class, out, most);
}

void *bin_take_sampled(unsigned size_class)
{
	void *object = NULL;

	bin_set_of(SLAB_SAMPLED);
	/* Without memory for its own the answer was another's. */
	bin_take_of(bin_set_find(SLAB_SAMPLED), SLAB_SAMPLED, size_class,
		    &object, 1);
	return object;
}

/* Objects that came at once are mostly of the last one's class. */
static void bin_note_gifts(struct bin_set *set, const struct slab_gift *last,
			   unsigned n)
{
	unsigned size_class = slab_word_unpack(last->word).size_class;

	if (unlikely(size_class >= NR_CLASSES))
		return;
	bin_note_freed(set, (int64_t)n * size_classes[size_class].size);
	bin_note_given(&set->bins[size_class], size_class, n);
}

void bin_give(unsigned id, void *const *objects, unsigned n)
{
	struct bin_set *set = n ? bin_set_of(id) : NULL;
	struct slab_gift gift = { 0 };
	unsigned rest;

	if (!n)
		return;
	for (rest = n; rest; objects += gift.nr, rest -= gift.nr) {
		gift = slab_give(objects, rest);
		bin_note_gift(set, id, &gift);
	}
	bin_note_gifts(set, &gift, n);
}

void bin_stats(struct bin_stats *out)
{
	unsigned end = bin_set_end(), id;
	struct bin_set *set;

	*out = (struct bin_stats){ 0 };
	out->purged_size = collect_purged_size();
	for (id = 0; id <= end; id++) {
		set = bin_set_find(id < end ? id : SLAB_SAMPLED);
		if (!set)
			continue;
		out->sets_size += round_up(sizeof(*set), system_page_size());
		out->nr_remote_frees +=
			load_relaxed(&set->nr_remote_frees); // counter
		out->nr_remote_slabs +=
			load_relaxed(&set->nr_remote_slabs);	 // counter
		out->nr_steals += load_relaxed(&set->nr_steals); // counter
	}
}
