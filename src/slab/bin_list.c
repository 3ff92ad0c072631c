/* layer 3.3: bin list: the lists of one bin; contract in bin_list.h */
#include "slab/bin_list.h"

void partial_push(struct bin *bin, unsigned side, struct span *slab)
{
	add_relaxed(&bin->nr_listed, 1);
	slab_stack_push(&bin->partial[side & 1][slab_is_waning(slab)], slab);
}

static struct span *stack_pop(struct bin *bin, struct slab_stack *stack)
{
	struct span *slab;

	while ((slab = slab_stack_top(stack))) {
		slab_check_address(slab);
		slab = slab_stack_try_pop(stack);
		if (!slab)
			continue;
		sub_relaxed(&bin->nr_listed, 1);
		return slab;
	}
	return NULL;
}

struct span *partial_pop_of(struct bin *bin, unsigned side, bool waning)
{
	return stack_pop(bin, &bin->partial[side & 1][waning]);
}

struct span *partial_pop(struct bin *bin, unsigned side)
{
	struct span *slab = partial_pop_of(bin, side, true);

	return slab ? slab : partial_pop_of(bin, side, false);
}

struct span *partial_take(struct bin *bin, bool waning)
{
	unsigned fill = fill_side(bin);
	struct span *slab = partial_pop_of(bin, !fill, waning);

	return slab ? slab : partial_pop_of(bin, fill, waning);
}

unsigned fill_side(struct bin *bin)
{
	return load_relaxed(&bin->fill) & 1; // hint: both sides are looked at
}

void partial_add(struct bin *bin, struct span *slab)
{
	partial_push(bin, fill_side(bin), slab);
	if (!load_relaxed(&bin->fresh))
		store_relaxed(&bin->fresh, FRESH_SOME);
}

struct span *slot_take(struct bin *bin)
{
	if (!load_relaxed(&bin->slot)) // hint: an early look
		return NULL;
	// [bin.slot] with slab_list(): the former holder's work on the slab
	return take_acquire(&bin->slot, NULL);
}

/* held -> listed */
void slab_list(struct bin *bin, struct span *slab)
{
	struct span *none = NULL;

	if (!load_relaxed(&bin->slot) && // hint: an early look
	    // [bin.slot] with slot_take(): this holder's work on the slab
	    cas_release(&bin->slot, &none, slab))
		return;
	partial_add(bin, slab);
}

void slab_send(struct bin *bin, struct span *slab)
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

/* The rest is pushed at once, so that little hangs on this thread. */
struct span *inbox_take(struct bin *bin)
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
