/* layer 3.2: slab purge: rows of free pages; protocol in slab_purge.h */
#include "slab/slab_purge.h"

#include "pageheap/unit_word.h"
#include "slab/slab.h"
#include "system/system.h"

#define PURGE_REFUSED_PASSES \
	64 /* calls after which a refused one is repeated */

static _Atomic(uint32_t) nr_to_pass; /* atomic: hint, calls that do nothing */

/* A slab by its pages. Where they are larger than a unit the slab may begin in
 * the middle of one. */
struct slab_pages {
	const struct size_class *size_class;
	_Atomic(uint64_t) *bits;
	uintptr_t start; /* of the slab */
	uintptr_t base;	 /* of the page that it begins in */
	uint32_t page;	 /* bytes of one */
	unsigned nr;	 /* the last one may end behind the slab */
};

/* Pages have 4 KiB at least, and a slab 8 units at most. */
_Static_assert(8 * UNIT_SIZE / PAGE_LEAST <= WORD_BITS, "clean is one word");

static struct slab_pages slab_pages(const struct span *slab)
{
	struct region *region = region_of_span(slab);
	uint32_t unit = region_span_unit(region, slab);
	// own: class is const here
	struct slab_word w = slab_word_unpack(load_relaxed(&slab->word));
	struct slab_pages p = {
		.size_class = &size_classes[w.size_class],
		.bits = region->bits + (size_t)unit * UNIT_BITS_WORDS,
		.start = (uintptr_t)region_addr(region, unit),
		.page = (uint32_t)system_page_size(),
	};

	p.base = round_down(p.start, p.page);
	p.nr = (unsigned)div_up(
		p.start - p.base + p.size_class->nr_units * UNIT_SIZE, p.page);
	return p;
}

/* Whether objects first to last are all free. */
static bool objects_are_free(const struct slab_pages *p, unsigned first,
			     unsigned last)
{
	uint64_t mask;
	unsigned i;

	for (i = first / WORD_BITS; i <= last / WORD_BITS; i++) {
		mask = ALL_ONES;
		if (i == first / WORD_BITS)
			mask <<= first % WORD_BITS;
		if (i == last / WORD_BITS)
			mask &= bits_low(last % WORD_BITS + 1);
		// [slab.bits] with slab_give(): the last use of the objects
		if (mask & ~load_acquire(&p->bits[i]))
			return false;
	}
	return true;
}

/* Whether page i lies in the slab whole, and all that touches it is free. */
static bool page_is_free(const struct slab_pages *p, unsigned i)
{
	uint32_t size = p->size_class->size, nr = p->size_class->nr_objects;
	uintptr_t from = p->base + (uintptr_t)i * p->page;
	uint32_t at = (uint32_t)(from - p->start);

	if (from < p->start ||
	    at + p->page > p->size_class->nr_units * (uint32_t)UNIT_SIZE)
		return false;
	if (at / size >= nr)
		return true;
	return objects_are_free(
		p, at / size,
		(unsigned)min_size((at + p->page - 1) / size, nr - 1));
}

static uint64_t free_pages(const struct slab_pages *p)
{
	uint64_t mask = 0;
	unsigned i;

	for (i = 0; i < p->nr; i++)
		if (page_is_free(p, i))
			mask |= bits_one(i);
	return mask;
}

/* Purges from the first to the last page of the mask; returns the bytes. */
static size_t pages_drop(const struct slab_pages *p, uint64_t mask)
{
	unsigned first = bits_first(mask);
	size_t size = (size_t)(bits_last(mask) - first + 1) * p->page;

	if (system_purge((void *)(p->base + (size_t)first * p->page), size)) {
		store_relaxed(&nr_to_pass, PURGE_REFUSED_PASSES);
		return 0;
	}
	return size;
}

/* Whether the call is one of those that follow a refused one. */
static bool passes(void)
{
	uint32_t nr = load_relaxed(&nr_to_pass);

	if (likely(!nr))
		return false;
	store_relaxed(&nr_to_pass, nr - 1);
	return true;
}

size_t slab_purge(struct span *slab)
{
	struct slab_pages p = slab_pages(slab);
	uint64_t clean = load_relaxed(&slab->clean); // held
	uint64_t free = passes() ? 0 : free_pages(&p);
	uint64_t wanted = free & ~clean, row;
	size_t done = 0, size;

	for (; wanted; wanted &= ~row) {
		row = bits_range(bits_first(wanted),
				 unit_word_run(free, bits_first(wanted)));
		size = pages_drop(&p, row & wanted);
		done += size;
		clean |= size ? row & wanted : 0;
	}
	store_relaxed(&slab->clean, clean); // held
	return done;
}

void slab_purge_forget(struct span *slab, void *const *objects, unsigned n)
{
	struct slab_pages p = slab_pages(slab);
	uint64_t clean = load_relaxed(&slab->clean); // held
	uintptr_t at, end;
	unsigned i;

	for (i = 0; i < n && clean; i++) {
		at = (uintptr_t)objects[i] - p.base;
		end = at + p.size_class->size - 1;
		clean &=
			~bits_range((unsigned)(at / p.page),
				    (unsigned)(end / p.page - at / p.page) + 1);
	}
	store_relaxed(&slab->clean, clean); // held
}
