/* layer 3.4: fitted class: the windows; protocol in fitted_class.h */
#include "slab/fitted_class.h"

#include "base/word.h"
#include "pageheap/budget.h"
#include "slab/slab.h"

#define WINDOW_SAMPLES 32
#define SAVING_SHIFT 4 /* a 16th of an object's room is worth a class */
#define SHARE_SHIFT 5  /* so is a class that is a 32nd of the heap */
#define LOSS_MOST 32   /* part of a slab that is lost behind its objects */
#define OBJECTS_LEAST 7
#define LINE_SIZE_LEAST 512 /* from here on objects fill cache lines */

/* The first, below which sizes step by 16 bytes and nothing is to be saved, and
 * the last. */
#define FIRST_CLASS SIZE_CLASS_160
#define LAST_CLASS SIZE_CLASS_32768

/* A window's word; see the header. */
struct window {
	uint16_t most, nr;
	uint32_t slabs;
};
WORD(window, uint64_t);

static _Atomic(uint64_t) windows[LAST_CLASS + 1]; /* atomic: hint */
static _Atomic(uint32_t) nr_fitted;		  /* atomic */

/* Whether the class has more slabs than any sample saw; it counts on and on. */
static bool window_is_open(struct window w, uint32_t slabs)
{
	return (int32_t)(slabs - w.slabs) > 0;
}

static struct window window_sampled(struct window w, size_t size,
				    uint32_t slabs)
{
	return (struct window){
		.most = (uint16_t)max_size(w.most, size),
		.nr = w.nr + 1,
		.slabs = slabs,
	};
}

/* Returns the window behind one that has ended: it knows the slabs, and no
 * sample. */
static struct window window_ended(struct window w)
{
	return (struct window){ .slabs = w.slabs };
}

unsigned fitted_class_count(void)
{
	return (unsigned)min_size(load_relaxed(&nr_fitted), // counter
				  NR_FITTED);
}

/* Every second class costs twice the growth of those before, so that a
 * program's first steps leave some for later. */
static unsigned window_samples(void)
{
	return WINDOW_SAMPLES << fitted_class_count() / 2;
}

static bool counts_in_heap(unsigned size_class)
{
	size_t size = (size_t)slab_nr_open(size_class) *
		      size_classes[size_class].nr_units * UNIT_SIZE;

	return size >= budget_claimed_size() >> SHARE_SHIFT;
}

/* Small slabs are soon empty: no more units than the loss demands. */
struct fitted_geometry fitted_class_geometry(uint32_t size)
{
	struct fitted_geometry best = { 1, 0 };
	uint32_t units, nr;
	size_t whole;

	for (units = 1; units <= FITTED_UNITS_MOST; units++) {
		whole = units * UNIT_SIZE;
		nr = (uint32_t)(whole / size);
		if (nr < OBJECTS_LEAST)
			continue;
		if (nr * best.nr_units > best.nr_objects * units)
			best = (struct fitted_geometry){ (uint16_t)units,
							 (uint16_t)nr };
		if ((whole - (size_t)nr * size) * LOSS_MOST <= whole)
			break;
	}
	return best;
}

/* Whether objects of `size` save enough room beside those of the class: units
 * per object of both, times the objects of both. */
static bool is_worth_it(const struct size_class *c, uint32_t size)
{
	struct fitted_geometry g = fitted_class_geometry(size);
	uint64_t now = (uint64_t)c->nr_units * g.nr_objects;
	uint64_t then = (uint64_t)g.nr_units * c->nr_objects;

	return then + (now >> SAVING_SHIFT) <= now;
}

void fitted_class_fill(unsigned fitted, unsigned size_class, uint32_t size)
{
	unsigned i = size / 16;

	size_classes[fitted].lane_slots = size_classes[size_class].lane_slots;
	size_class_fill(fitted, size, fitted_class_geometry(size).nr_units,
			size_class);
	while (load_relaxed(&size_to_class[i]) == size_class) // hint: see there
		size_class_pass(i--, fitted);
}

static cold void fitted_class_make(unsigned size_class, uint32_t size)
{
	uint32_t n;

	size = (uint32_t)round_up(size,
				  size < LINE_SIZE_LEAST ? 16 : CACHE_LINE);
	if (size_class_of(size) != size_class ||
	    !is_worth_it(&size_classes[size_class], size) ||
	    load_relaxed(&nr_fitted) >= NR_FITTED) // hint
		return;
	n = add_relaxed(&nr_fitted, 1); // own: each number has one maker
	if (n < NR_FITTED)
		fitted_class_fill(NR_FIXED_CLASSES + n, size_class, size);
}

void fitted_class_note(unsigned size_class, size_t size)
{
	struct window w, next;
	uint64_t word;
	uint32_t slabs;
	bool ends;

	if (size_class - FIRST_CLASS > LAST_CLASS - FIRST_CLASS)
		return;
	slabs = slab_nr_open(size_class);
	word = load_relaxed(&windows[size_class]);
	w = window_unpack(word);
	if (likely(!window_is_open(w, slabs)))
		return;
	w = window_sampled(w, size, slabs);
	ends = w.nr >= window_samples();
	next = ends ? window_ended(w) : w;
	// hint: whoever is too late has sampled for nothing
	if (cas_relaxed(&windows[size_class], &word, window_pack(next)) &&
	    ends && counts_in_heap(size_class))
		fitted_class_make(size_class, w.most);
}
