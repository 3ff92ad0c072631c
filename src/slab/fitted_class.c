/* layer 3.4: fitted class: the windows; protocol in fitted_class.h */
#include "slab/fitted_class.h"

#include "slab/slab.h"

#define WINDOW_SAMPLES 32
#define SAVING_SHIFT 4 /* a 16th of an object's room is worth a class */

/* The first whose sizes step by more than 16 bytes, and the last. */
#define FIRST_CLASS SIZE_CLASS_160
#define LAST_CLASS SIZE_CLASS_32768

/* A window's word, unpacked; see the header. */
struct window {
	uint32_t most;
	uint16_t nr, opened;
};

static _Atomic(uint64_t) windows[LAST_CLASS + 1]; /* atomic */
static _Atomic(uint32_t) nr_fitted;               /* atomic */

static struct window window_unpack(uint64_t word)
{
	return (struct window){
		.most = (uint32_t)word,
		.nr = (uint16_t)(word >> 32),
		.opened = (uint16_t)(word >> 48),
	};
}

static uint64_t window_pack(struct window w)
{
	return w.most | (uint64_t)w.nr << 32 | (uint64_t)w.opened << 48;
}

/* Bytes of slab per object, times the objects of both: compared, not divided.
 * Whether objects of `size` save enough beside those of the class. */
static bool is_worth_it(const struct size_class *c, uint32_t size)
{
	struct size_geometry g = size_class_geometry(size);
	uint64_t now = (uint64_t)c->nr_units * g.nr_objects;
	uint64_t then = (uint64_t)g.nr_units * c->nr_objects;

	return then + (now >> SAVING_SHIFT) <= now;
}

static cold void fitted_class_make(unsigned class, uint32_t size)
{
	uint32_t n;

	size = (uint32_t)round_up(size, 16);
	if (size_class_of(size) != class ||
	    !is_worth_it(&size_classes[class], size) ||
	    load_relaxed(&nr_fitted) >= NR_FITTED) // hint
		return;
	n = add_relaxed(&nr_fitted, 1); // own: each number has one maker
	if (n < NR_FITTED)
		size_class_fit(NR_FIXED_CLASSES + n, class, size);
}

void fitted_class_note(unsigned class, size_t size)
{
	uint16_t opened = (uint16_t)slab_nr_opened(class);
	struct window w;
	uint64_t word;

	if (class - FIRST_CLASS > LAST_CLASS - FIRST_CLASS)
		return;
	word = load_relaxed(&windows[class]); // hint
	w = window_unpack(word);
	if (likely(w.opened == opened))
		return;
	w.most = (uint32_t)max_size(w.most, size);
	w.opened = opened;
	if (++w.nr == WINDOW_SAMPLES) {
		struct window next = { .opened = opened };

		// hint: whoever is too late has sampled for nothing
		if (cas_relaxed(&windows[class], &word, window_pack(next)))
			fitted_class_make(class, w.most);
		return;
	}
	cas_relaxed(&windows[class], &word, window_pack(w)); // hint
}

unsigned fitted_class_count(void)
{
	return (unsigned)min_size(load_relaxed(&nr_fitted), // counter
				  NR_FITTED);
}
