/* layer 2.4: level: claim and release, carve and coalesce */
#include "pageheap/level.h"

#include "system/fault.h"

/* How many words of one class are looked at, unless all are. In a class that
 * is sure to fit the first look succeeds unless the hint is old. */
#define LEVEL_LOOKS 8
#define WORD_UNITS (WORD_BITS * HUGEPAGE_UNITS) /* of hugepages */

static _Atomic(uint64_t) *level_word(struct region *region, unsigned level,
				     uint32_t word)
{
	return &region->levels[level].words[word];
}

/* Says which granules of a word have resident memory, as far as that is
 * known. */
static uint64_t level_dirty(struct region *region, unsigned level,
			    uint32_t word)
{
	if (level == 0)
		return load_relaxed(&region->dirty[word]); // hint
	if (level == 1)
		// hint
		return load_relaxed(
			free_index_line(region, 0, FREE_INDEX_DIRTY, word));
	return 0;
}

/* Says which granules of a word a search for the node takes: all but the
 * hugepages that are resident on another one. Of level 0 the whole word is the
 * node's; above level 1 nobody knows. */
static uint64_t level_near(struct region *region, unsigned level, uint32_t word,
			   uint64_t dirty, unsigned node)
{
	if (likely(node == NODE_ANY) || level != 1)
		return ALL_ONES;
	return ~dirty | node_hugepages(region, word, node);
}

bool level_try_take(struct region *region, unsigned level, uint32_t word,
		    unsigned n, unsigned align, unsigned node,
		    uint32_t *granule)
{
	_Atomic(uint64_t) *at = level_word(region, level, word);
	uint64_t free = load_relaxed(at); // hint
	uint64_t dirty, rest, near;
	unsigned first;

	if (!free)
		return false;
	dirty = level_dirty(region, level, word);
	near = level_near(region, level, word, dirty, node);
	do {
		first = unit_word_pick(free & near, dirty, n, align);
		if (first == UNIT_WORD_NONE)
			return false;
		rest = free & ~bits_range(first, n);
		// [level.words] with level_release(): the granules' last use
	} while (!cas_acquire(at, &free, rest));
	free_index_changed(region, level, word, free, rest);
	*granule = word * WORD_BITS + first;
	return true;
}

static bool level_take_top(struct region *region, unsigned n, unsigned align,
			   uint32_t *granule)
{
	unsigned top = NR_LEVELS - 1;
	uint32_t word;

	for (word = 0; word < region->levels[top].nr_words; word++) {
		if (level_try_take(region, top, word, n, align, NODE_ANY,
				   granule))
			return true;
	}
	return false;
}

/* Finds the next word of a class that a search for the node may take of. */
static uint32_t level_next(struct region *region, unsigned level, unsigned k,
			   uint32_t from, unsigned node)
{
	return level ? free_index_next(region, level, k, from) :
		       fit_next_of(region, k, from, node);
}

/* Searches the open words, the smallest class that fits first, so that full
 * hugepages fill up and empty ones stay empty. It files anew what is filed
 * wrongly. */
static bool level_take_open(struct region *region, unsigned level, unsigned n,
			    unsigned align, struct search s, uint32_t *granule)
{
	unsigned k = unit_word_class_of_run(n), look;
	uint32_t word;
	uint64_t now;

	if (level == NR_LEVELS - 1)
		return level_take_top(region, n, align, granule);
	for (; k < UNIT_WORD_CLASSES; k++) {
		word = level_next(region, level, k, 0, s.node);
		for (look = 0;
		     word != FREE_INDEX_NONE && (s.all || look < LEVEL_LOOKS);
		     look++) {
			if (level_try_take(region, level, word, n, align,
					   s.node, granule))
				return true;
			// hint
			now = load_relaxed(level_word(region, level, word));
			if (unit_word_class(now) != k)
				free_index_refile(region, level, word);
			word = level_next(region, level, k, word + 1, s.node);
		}
	}
	return false;
}

/* Says which of the hugepages [h, end), released or opened just now, have
 * dirty units: a purger that came by while they were held found nothing to
 * claim, and cleared its hint. */
static void level_hint_dirty(struct region *region, size_t h, size_t end)
{
	uint32_t used = load_relaxed(&region->nr_used); // hint

	end = min_size(end, div_up(used, HUGEPAGE_UNITS));
	for (; h < end; h++) {
		if (load_relaxed(&region->dirty[h])) // hint
			free_index_mark_missing(region, 0, FREE_INDEX_DIRTY,
						(uint32_t)(h / WORD_BITS),
						bits_one(h % WORD_BITS));
	}
}

/* Says it of all hugepages that a word covers. */
static void level_hint_word(struct region *region, unsigned level,
			    uint32_t word)
{
	unsigned shift = level * LEVEL_SHIFT;
	size_t h = (size_t)word << shift;

	level_hint_dirty(region, h, h + ((size_t)1 << shift));
}

/* Does the second half of carve. The caller holds the parent's bit. */
static void level_open(struct region *region, unsigned level, uint32_t word,
		       uint64_t free)
{
	if (!free)
		return;
	// [level.words] with level_try_take(): what the last holder did
	store_seq(level_word(region, level, word), free);
	free_index_refile(region, level, word);
	level_hint_word(region, level, word);
}

static bool level_coalesce_word(struct region *region, unsigned level,
				uint32_t word)
{
	uint64_t all = ALL_ONES;

	// [level.words] with level_release(): all 64 releases
	if (!cas_acquire(level_word(region, level, word), &all, 0))
		return false;
	free_index_refile(region, level, word);
	level_release(region, level + 1, word / WORD_BITS,
		      bits_one(word % WORD_BITS));
	level_hint_word(region, level, word);
	return true;
}

/* Coalesces all entirely free words of the levels below, lowest first. */
static bool level_coalesce_below(struct region *region, unsigned level)
{
	unsigned below, k = UNIT_WORD_CLASSES - 1;
	bool any = false;
	uint32_t word;

	for (below = 1; below < level; below++) {
		word = free_index_next(region, below, k, 0);
		for (; word != FREE_INDEX_NONE;
		     word = free_index_next(region, below, k, word + 1))
			any |= level_coalesce_word(region, below, word);
	}
	return any;
}

/* Where to take n granules of a word that is held whole. */
static unsigned level_pick(struct region *region, unsigned level, uint32_t word,
			   unsigned n, unsigned align, unsigned node)
{
	uint64_t dirty = level_dirty(region, level, word);
	uint64_t near = level_near(region, level, word, dirty, node);
	unsigned first = unit_word_pick(near, dirty, n, align);

	if (unlikely(first == UNIT_WORD_NONE))
		first = unit_word_pick(ALL_ONES, dirty, n, align);
	return first;
}

bool level_take(struct region *region, unsigned level, unsigned n,
		unsigned align, struct search s, uint32_t *granule)
{
	uint32_t word;
	unsigned first;

	if (level_take_open(region, level, n, align, s, granule))
		return true;
	if (level >= 2 && level_coalesce_below(region, level) &&
	    level_take_open(region, level, n, align, s, granule))
		return true;
	if (level == NR_LEVELS - 1 ||
	    !level_take(region, level + 1, 1, 1, s, &word))
		return false;
	if (level == 0)
		node_assign(region, word * WORD_BITS, 1, s.node);
	first = level_pick(region, level, word, n, align, s.node);
	level_open(region, level, word, ~bits_range(first, n));
	*granule = word * WORD_BITS + first;
	return true;
}

bool level_try_claim(struct region *region, unsigned level, uint32_t word,
		     uint64_t mask)
{
	_Atomic(uint64_t) *at = level_word(region, level, word);
	// [level.words] with level_release(): the purge's hint, see dirty.h
	uint64_t free = load_seq(at);

	while ((free & mask) == mask) {
		// [level.words] with level_release(): the granules' last use
		if (cas_acquire(at, &free, free & ~mask)) {
			free_index_changed(region, level, word, free,
					   free & ~mask);
			return true;
		}
	}
	if (free || level == NR_LEVELS - 1)
		return false;
	if (!level_try_claim(region, level + 1, word / WORD_BITS,
			     bits_one(word % WORD_BITS)))
		return false;
	level_open(region, level, word, ~mask);
	return true;
}

_Noreturn static cold void level_fault(struct region *region, unsigned level,
				       uint32_t word, uint64_t mask)
{
	uint32_t granule = word * WORD_BITS + bits_first(mask);

	fault("pages given back twice, at %p",
	      (void *)region_addr(region, granule << (level * LEVEL_SHIFT)));
}

/* Whoever holds a part of a granule sees its parent's bit clear. */
static bool level_is_closed(struct region *region, unsigned level,
			    uint32_t word)
{
	uint64_t parent;

	if (level == NR_LEVELS - 1)
		return false;
	parent = load_relaxed(
		level_word(region, level + 1, word / WORD_BITS)); // held
	return parent & bits_one(word % WORD_BITS);
}

void level_release(struct region *region, unsigned level, uint32_t word,
		   uint64_t mask)
{
	uint64_t old;

	if (unlikely(level_is_closed(region, level, word)))
		level_fault(region, level, word, mask);
	// [level.words] with level_try_take(), level_try_claim(): the last use
	old = or_seq(level_word(region, level, word), mask);
	if (unlikely(old & mask))
		level_fault(region, level, word, old & mask);
	if (level == 0 && (old | mask) == ALL_ONES &&
	    level_coalesce_word(region, level, word))
		return;
	free_index_changed(region, level, word, old, old | mask);
}

/* Releases granules [first, end) of a level: whole words of them one level
 * up. */
static void level_release_range(struct region *region, unsigned level,
				uint32_t first, uint32_t end)
{
	uint32_t word, word_end = end / WORD_BITS, stop;

	word = (uint32_t)div_up(first, WORD_BITS);
	if (level < NR_LEVELS - 1 && word < word_end) {
		level_release_range(region, level, first, word * WORD_BITS);
		level_release_range(region, level + 1, word, word_end);
		first = word_end * WORD_BITS;
	}
	for (; first < end; first = stop) {
		stop = (uint32_t)min_size(end,
					  (first / WORD_BITS + 1) * WORD_BITS);
		level_release(region, level, first / WORD_BITS,
			      bits_range(first % WORD_BITS, stop - first));
	}
}

void level_release_clean(struct region *region, uint32_t unit, uint32_t n)
{
	level_release_range(region, 0, unit, unit + n);
}

void level_release_units(struct region *region, uint32_t unit, uint32_t n)
{
	if (!n)
		return;
	level_release_range(region, 0, unit, unit + n);
	level_hint_dirty(region, unit / HUGEPAGE_UNITS,
			 (unit + n - 1) / HUGEPAGE_UNITS + 1);
}

/* Says how many units one claim can cover: hugepages up to the end of their
 * word, or a part of the first or the last one. */
static uint32_t level_claim_step(uint32_t unit, uint32_t end)
{
	uint32_t to_hugepage = HUGEPAGE_UNITS - unit % HUGEPAGE_UNITS;
	uint32_t to_word = WORD_UNITS - unit % WORD_UNITS;

	if (to_hugepage < HUGEPAGE_UNITS || end - unit < HUGEPAGE_UNITS)
		return (uint32_t)min_size(to_hugepage, end - unit);
	return (uint32_t)min_size(to_word,
				  round_down(end - unit, HUGEPAGE_UNITS));
}

static bool level_try_claim_step(struct region *region, uint32_t unit,
				 uint32_t n)
{
	uint32_t hugepage = unit / HUGEPAGE_UNITS;

	if (n < HUGEPAGE_UNITS)
		return level_try_claim(region, 0, hugepage,
				       bits_range(unit % HUGEPAGE_UNITS, n));
	return level_try_claim(
		region, 1, hugepage / WORD_BITS,
		bits_range(hugepage % WORD_BITS, n / HUGEPAGE_UNITS));
}

bool level_try_claim_units(struct region *region, uint32_t unit, uint32_t n)
{
	uint32_t at = unit, end = unit + n, step;

	for (; at < end; at += step) {
		step = level_claim_step(at, end);
		if (level_try_claim_step(region, at, step))
			continue;
		level_release_units(region, unit, at - unit);
		return false;
	}
	return true;
}

uint64_t level_free_hugepages(struct region *region, uint32_t word)
{
	uint64_t free = load_relaxed(level_word(region, 1, word)); // hint
	unsigned level;

	if (free)
		return free;
	for (level = 2; level < NR_LEVELS; level++) {
		free = load_relaxed(
			level_word(region, level, word / WORD_BITS)); // hint
		if (free & bits_one(word % WORD_BITS))
			return ALL_ONES;
		if (free)
			return 0;
		word /= WORD_BITS;
	}
	return 0;
}

/* Returns the hugepage's free units, also where it is closed; a hint. */
static uint64_t level_free_units(struct region *region, uint32_t hugepage)
{
	// hint
	uint64_t free = load_relaxed(level_word(region, 0, hugepage));

	if (!free && level_free_hugepages(region, hugepage / WORD_BITS) &
			     bits_one(hugepage % WORD_BITS))
		free = ALL_ONES;
	return free;
}

uint32_t level_free_below(struct region *region, uint32_t end, uint32_t most)
{
	uint32_t n = 0, at, step;
	uint64_t taken;

	while (n < most && n < end) {
		at = end - n - 1;
		step = at % HUGEPAGE_UNITS + 1;
		taken = ~level_free_units(region, at / HUGEPAGE_UNITS) &
			bits_low(step);
		if (taken)
			return (uint32_t)min_size(
				most, n + step - 1 - bits_last(taken));
		n += step;
	}
	return (uint32_t)min_size(n, most);
}

bool level_take_anywhere(struct region *region, uint32_t n, uint32_t *unit)
{
	// hint
	uint32_t end = (uint32_t)div_up(load_relaxed(&region->nr_taken),
					HUGEPAGE_UNITS);
	uint32_t h, run = 0, low;
	uint64_t free;

	for (h = 0; h < end; h++) {
		free = level_free_units(region, h);
		low = free == ALL_ONES ? HUGEPAGE_UNITS : bits_first(~free);
		*unit = h * HUGEPAGE_UNITS - run;
		run += low;
		if (run >= n && level_try_claim_units(region, *unit, n))
			return true;
		if (low < HUGEPAGE_UNITS)
			run = WORD_BITS - 1 - bits_last(~free);
	}
	return false;
}

/* Clears an old hint, as a purge does (dirty.h): nothing dirty is free there,
 * and the hint would stand in the way of every later search. */
static void level_hint_old(struct region *region, uint32_t hugepage)
{
	_Atomic(uint64_t) *line = free_index_line(region, 0, FREE_INDEX_DIRTY,
						  hugepage / WORD_BITS);
	uint64_t bit = bits_one(hugepage % WORD_BITS), free;

	if (!(load_relaxed(line) & bit)) // hint
		return;
	free_index_unmark(region, 0, FREE_INDEX_DIRTY, hugepage / WORD_BITS,
			  bit);
	// [level.words] with level_release(): a release that saw the hint set
	free = load_seq(level_word(region, 0, hugepage));
	if (!free)
		free = level_free_units(region, hugepage);
	if (free & load_relaxed(&region->dirty[hugepage])) // hint
		free_index_mark_missing(region, 0, FREE_INDEX_DIRTY,
					hugepage / WORD_BITS, bit);
}

static bool level_take_dirty_in(struct region *region, uint32_t hugepage,
				unsigned n, unsigned align, uint32_t *unit)
{
	uint64_t dirty = load_relaxed(&region->dirty[hugepage]); // hint
	unsigned first;

	if (dirty)
		dirty &= level_free_units(region, hugepage);
	if (!dirty) {
		level_hint_old(region, hugepage);
		return false;
	}
	first = unit_word_find(dirty, n, align);
	if (first == UNIT_WORD_NONE ||
	    !level_try_claim(region, 0, hugepage, bits_range(first, n)))
		return false;
	*unit = hugepage * HUGEPAGE_UNITS + first;
	return true;
}

bool level_take_dirty(struct region *region, uint32_t near, unsigned n,
		      unsigned align, unsigned node, uint32_t *unit)
{
	unsigned look;
	uint32_t h;

	if (near < region->levels[0].nr_words &&
	    level_take_dirty_in(region, near, n, align, unit))
		return true;
	h = fit_next_of(region, FREE_INDEX_DIRTY, 0, node);
	for (look = 0; h != FREE_INDEX_NONE && look < LEVEL_LOOKS; look++) {
		if (level_take_dirty_in(region, h, n, align, unit))
			return true;
		h = fit_next_of(region, FREE_INDEX_DIRTY, h + 1, node);
	}
	return false;
}

/* The level's words that matter: beyond nr_taken nothing is mapped. */
static uint32_t level_end(const struct region *region, unsigned level)
{
	// hint: what is taken later its growers file
	uint32_t taken = load_relaxed(&region->nr_taken),
		 end = (taken >> (LEVEL_SHIFT * (level + 1))) + 1;

	return (uint32_t)min_size(end, region->levels[level].nr_words);
}

/* Searches all hugepages, slowly, for a run that no single word holds: for
 * small and for fragmented regions. */
static bool level_take_across(struct region *region, uint32_t n, unsigned node,
			      uint32_t *unit)
{
	uint32_t need = (uint32_t)div_up(n, HUGEPAGE_UNITS), run = 0, word;
	uint32_t end = level_end(region, 1);
	uint64_t free;

	for (word = 0; word < end; word++) {
		free = level_free_hugepages(region, word) &
		       level_near(region, 1, word, level_dirty(region, 1, word),
				  node);
		*unit = (word * WORD_BITS - run) * HUGEPAGE_UNITS;
		if (run + unit_word_run(free, 0) >= need) {
			if (level_try_claim_units(region, *unit, n))
				return true;
			run = 0;
		}
		if (free == ALL_ONES)
			run += WORD_BITS;
		else
			run = WORD_BITS - 1 - bits_last(~free);
	}
	return false;
}

bool level_take_units(struct region *region, uint32_t n, unsigned node,
		      uint32_t *unit)
{
	struct search s = { .node = (uint8_t)node };
	uint32_t count = n, granule, whole;
	unsigned level;

	for (level = 0; count > WORD_BITS; level++)
		count = (uint32_t)div_up(count, WORD_BITS);
	if (level >= NR_LEVELS || n > load_relaxed(&region->nr_units)) // const
		return false;
	if (!level_take(region, level, count, 1, s, &granule))
		return level_take_across(region, n, node, unit);
	*unit = granule << (level * LEVEL_SHIFT);
	whole = count << (level * LEVEL_SHIFT);
	level_release_units(region, *unit + n, whole - n);
	return true;
}

void level_repair(struct region *region)
{
	uint32_t word, end;
	unsigned level;

	for (level = 0; level < NR_LEVELS - 1; level++) {
		end = level_end(region, level);
		for (word = 0; word < end; word++) {
			/* Hidden is only what has something free. */
			if (load_relaxed(level_word(region, level, word)))
				free_index_refile(region, level, word); // hint
		}
	}
}
