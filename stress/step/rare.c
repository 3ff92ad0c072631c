/* rare: the part of the load that comes a few times in a run. It takes the
 * sweep's place for that: no new threads, nothing with a lock of libc's.
 */
#include "step.h"

#include <malloc.h>
#include <stdlib.h>

static void do_statistics(void)
{
	struct lanemalloc_stats s;

	if (names.stats)
		names.stats(&s, sizeof(s));
	mallinfo2();
}

static void do_huge(struct worker *w, size_t size)
{
	struct block *slot = slot_empty(w);
	struct block old;
	void *at;

	slot_alloc(w, slot, size);
	if (!slot->at)
		return;
	old = *slot;
	let_go(w, slot);
	w->hand[1] = (struct block){ NULL, 2 * size, 0 };
	at = realloc(old.at, 2 * size);
	w->hand[1] = (struct block){ 0 };
	if (slot_fill(w, slot, at ? at : old.at, at ? 2 * size : size))
		slot_free(w, slot);
}

/* Address space more than memory: nobody writes there. */
static void do_vast(struct worker *w, size_t size, size_t align)
{
	expect(w, size > align ? size : align);
	free(memalign(align, size));
	w->hand[0] = (struct block){ 0 };
}

static void do_refused(void)
{
	volatile size_t huge = SIZE_MAX;

	free(malloc(huge / 2));
	free(calloc(huge / 2, 3));
	free(memalign(64, huge - 100));
}

static void rare_do(struct worker *w, unsigned which)
{
	switch (which) {
	case 0:
		load_purge();
		break;
	case 1:
		do_statistics();
		break;
	case 2:
		malloc_trim(4096);
		break;
	case 3:
		do_refused();
		break;
	case 4:
		do_huge(w, 5 * MIB);
		break;
	case 5:
		do_vast(w, 150 * MIB, 16);
		break;
	case 6:
		do_vast(w, 20 * MIB, 16 * MIB);
		break;
	case 7:
		do_burst(w, 24 * KIB, 40);
		break;
	default:
		do_burst(w, (size_t)48 << (which - 8), 250);
		break;
	}
}

const struct load_parts rare_parts = { .seldom = rare_do };
