/* rare: the part of the load that comes a few times in a run. It takes the
 * sweep's place for that: no new threads, nothing with a lock of libc's.
 */
#include "step.h"

#include <malloc.h>
#include <stdlib.h>

static void do_statistics(struct worker *w)
{
	struct lanemalloc_stats s;

	(void)w;
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

static void do_refused(struct worker *w)
{
	volatile size_t huge = SIZE_MAX;

	(void)w;
	free(malloc(huge / 2));
	free(calloc(huge / 2, 3));
	free(memalign(64, huge - 100));
}

ONE(rare_purge, load_purge())
ONE(rare_trim, malloc_trim(4096))
ONE(rare_huge, do_huge(w, 5 * MIB))
ONE(rare_vast, do_vast(w, 150 * MIB, 16))
ONE(rare_aligned, do_vast(w, 20 * MIB, 16 * MIB))
ONE(rare_24k, do_burst(w, 24 * KIB, 40))
ONE(rare_48, do_burst(w, 48, 250))
ONE(rare_96, do_burst(w, 96, 250))
ONE(rare_192, do_burst(w, 192, 250))
ONE(rare_384, do_burst(w, 384, 250))
ONE(rare_768, do_burst(w, 768, 120))
ONE(rare_1536, do_burst(w, 1536, 60))

static void (*const rare[NR_SELDOM])(struct worker *w) = {
	rare_purge, do_statistics, rare_trim, do_refused, rare_huge, rare_vast,
	rare_aligned, rare_24k, rare_48, rare_96, rare_192, rare_384,
	rare_768,   rare_1536,
};

const struct load_parts rare_parts = { .seldom = rare };
