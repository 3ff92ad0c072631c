/* layer 3.3: bin: the slabs of one (id, class) that have free objects;
 * protocol in bin.h */
#include "slab/bin.h"

#include "slab/bin_list.h"
#include "slab/bin_set.h"
#include "slab/collect.h"
#include "slab/wane.h"
#include "system/config.h"
#include "system/draw.h"
#include "system/nodes.h"
#include "system/system.h"

#define STEAL_MOST 16 /* ids that one take looks at */
#define MORE_SLABS 3  /* that fill up a batch */
#define MIX_MOST 4    /* slabs of which any is the next */

/* Returns the bin of (owner, class); where the owner never got a set, the
 * giver's. */
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

/* An empty one counts where it is not the slot's. */
static void mix_list(struct bin *bin, struct span *slab, unsigned size_class)
{
	bool empty = slab_is_empty(slab);

	slab_list(bin, slab);
	if (unlikely(empty))
		bin_note_empty(bin, slab, size_class);
}

/* With hardened=1: any of the slabs that come next goes to the slot, the others
 * to partial[fill]. Who dies here has up to MIX_MOST of them in hand. */
static cold void bin_mix(struct bin *bin, unsigned size_class)
{
	struct span *slabs[MIX_MOST];
	unsigned side = fill_side(bin), n = 0, first, i;
	struct draw draw = draw_begin();

	if ((slabs[0] = slot_take(bin)))
		n++;
	first = n;
	while (n < MIX_MOST &&
	       ((slabs[n] = partial_pop_of(bin, !side, false)) ||
		(slabs[n] = partial_pop_of(bin, side, false))))
		n++;
	for (i = 0; i < n; i++)
		slab_check_listed(slabs[i], size_class);
	for (i = first; i < n; i++)
		bin_note_reuse(bin, slabs[i]);
	for (; n; slabs[i] = slabs[--n]) {
		i = draw_below(&draw, n);
		mix_list(bin, slabs[i], size_class);
	}
}

/* Takes a listed slab of the bin, held now; NULL where there is none. */
static struct span *bin_get_own(struct bin *bin, unsigned size_class)
{
	struct span *slab;

	if (unlikely(config.hardened))
		bin_mix(bin, size_class);
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

/* Takes a listed slab of another id, adopted; of one that is far not before
 * memory is short. */
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
		add_relaxed(&set->nr_steals, 1);
		return slab;
	}
	return NULL;
}

/* Adopts, without memory for a new slab, any id's, also the one that it takes
 * from next. */
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
		add_relaxed(&set->nr_steals, 1);
		return slab;
	}
	return NULL;
}

/* Takes a listed slab of the id's own bin, else of another id's. */
static struct span *bin_get(struct bin_set *set, unsigned id,
			    unsigned size_class)
{
	struct span *slab = bin_get_own(&set->bins[size_class], size_class);

	if (slab || id == SLAB_SAMPLED)
		return slab;
	return bin_steal(set, id, size_class);
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
	add_relaxed(&set->nr_remote_slabs, 1);
	slab_send(bin_of_owner(set, w), slab);
}

/* Lets go of a slab in which the holder found no more bits. */
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
		add_relaxed(&set->nr_remote_frees, gift->nr);
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

/* Takes up to `most` of a held slab, which goes where it belongs. */
static force_inline unsigned bin_use(struct bin_set *set, unsigned id,
				     unsigned size_class, struct span *slab,
				     void **out, unsigned most)
{
	unsigned n = slab_use(slab, out, most);

	if (n == most && slab_has_free(slab))
		slab_list(&set->bins[size_class], slab);
	else
		bin_leave(set, id, slab);
	return n;
}

/* Fills up a batch from slabs that are listed, a few of them. */
static unsigned bin_take_more(struct bin_set *set, unsigned id,
			      unsigned size_class, void **out, unsigned most)
{
	struct bin *bin = &set->bins[size_class];
	struct span *slab;
	unsigned n = 0, i;

	for (i = 0; i < MORE_SLABS && n < most; i++) {
		slab = partial_take(bin, false);
		if (!slab)
			break;
		slab_check_listed(slab, size_class);
		bin_note_reuse(bin, slab);
		n += bin_use(set, id, size_class, slab, out + n, most - n);
	}
	return n;
}

unsigned bin_take(unsigned id, unsigned size_class, void **out, unsigned most)
{
	struct bin_set *set = bin_set_of(id);
	struct span *slab;
	unsigned n = 0;
	bool made;

	/* Without memory for the sampled objects' own it is another's. */
	if (unlikely(id == SLAB_SAMPLED))
		set = bin_set_find(id);
	while (set && !n) {
		slab = bin_get(set, id, size_class);
		made = !slab && (slab = slab_open(size_class, id));
		if (unlikely(!slab) && id != SLAB_SAMPLED)
			slab = bin_steal_slots(set, id, size_class);
		if (!slab)
			return 0;
		/* Without a bit it was listed by a sleeper: the next one. */
		n = bin_use(set, id, size_class, slab, out, most);
		if (made && quiet_heap_grew())
			bin_note_growth(set);
	}
	if (!n)
		return 0;
	if (n < most)
		n += bin_take_more(set, id, size_class, out + n, most - n);
	bin_note_freed(set, -(int64_t)n * size_classes[size_class].size);
	bin_note_taken(&set->bins[size_class], size_class);
	return n;
}

void *bin_take_sampled(unsigned size_class)
{
	void *object = NULL;

	bin_take(SLAB_SAMPLED, size_class, &object, 1);
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

/* Whoever has an object has bins: no others are there where the first ones were
 * made for one that the profile follows, and there is no memory since. */
static struct bin_set *bin_set_of_giver(unsigned id)
{
	struct bin_set *set = bin_set_of(id);

	return likely(set) ? set : bin_set_find(SLAB_SAMPLED);
}

void bin_give(unsigned id, void *const *objects, unsigned n)
{
	struct slab_gift gift = { 0 };
	struct bin_set *set;
	unsigned rest;

	if (!n)
		return;
	set = bin_set_of_giver(id);
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
		out->nr_remote_frees += load_relaxed(&set->nr_remote_frees);
		out->nr_remote_slabs += load_relaxed(&set->nr_remote_slabs);
		out->nr_steals += load_relaxed(&set->nr_steals);
	}
}
