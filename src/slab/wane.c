/* layer 3.3: wane: slabs of a class that only shrinks; see wane.h */
#include "slab/wane.h"

#include "slab/bin_list.h"

#define WANE_BATCHES 2 /* given and nothing taken: the class only shrinks */
#define WANE_LOOKS 4   /* slabs, for each further batch */
#define WANE_GIVEN_MOST (1u << 30)

/* Makes one of a side wane; false: there is none that does not. */
static bool side_wanes(struct bin *bin, unsigned size_class, unsigned side)
{
	struct span *slab = partial_pop_of(bin, side, false);

	if (!slab)
		return false;
	slab_check_listed(slab, size_class);
	slab_wane(slab);
	partial_push(bin, side, slab);
	return true;
}

/* Returns what is given before any of it wanes. */
static uint32_t wane_begin(const struct bin *bin, const struct size_class *c)
{
	uint32_t regret = load_relaxed(&bin->wane_regret);

	return (WANE_BATCHES + 1) * c->batch + regret;
}

void bin_note_given(struct bin *bin, unsigned size_class, unsigned n)
{
	const struct size_class *c = &size_classes[size_class];
	uint32_t given = load_relaxed(&bin->given) + n;
	unsigned looks = WANE_LOOKS;

	if (likely(given < WANE_GIVEN_MOST))
		store_relaxed(&bin->given, given);
	if (given < wane_begin(bin, c))
		return;
	while (c->size <= SMALL_SIZE_MOST && looks--)
		if (!side_wanes(bin, size_class, 0) &&
		    !side_wanes(bin, size_class, 1))
			break;
}

void bin_note_taken(struct bin *bin, unsigned size_class)
{
	uint32_t given = load_relaxed(&bin->given);

	if (!given)
		return;
	if (given >= wane_begin(bin, &size_classes[size_class]))
		store_relaxed(&bin->wane_regret, 2 * given);
	store_relaxed(&bin->given, 0);
}
