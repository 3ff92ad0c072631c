/* layer 3.2: slab: equal objects in a run of units; protocol in slab.h */
#include "slab/slab.h"

#include "pageheap/guard_page.h"
#include "pageheap/page_heap.h"
#include "slab/slab_purge.h"
#include "system/config.h"
#include "system/draw.h"
#include "system/fault.h"
#include "system/system.h"

/* A slab with its geometry at hand. */
struct slab_view {
	struct region *region;
	const struct size_class *size_class;
	_Atomic(uint64_t) *bits;
	char *start;
	uint32_t unit;
};

static force_inline struct slab_view slab_view(const struct span *slab)
{
	struct region *region = region_of_span(slab);
	uint64_t word = load_relaxed(&slab->word); // own: class is const here
	uint32_t unit = region_span_unit(region, slab);

	return (struct slab_view){
		.region = region,
		.size_class = &size_classes[slab_word_unpack(word).size_class],
		.bits = region->bits + (size_t)unit * UNIT_BITS_WORDS,
		.start = region_addr(region, unit),
		.unit = unit,
	};
}

static _Atomic(uint32_t) nr_open[NR_CLASSES]; /* atomic: counter */

/* Returns the bits that word i of the slab has when all objects are free. */
static uint64_t full_word(const struct size_class *size_class, unsigned i)
{
	return bits_low((unsigned)min_size(WORD_BITS, size_class->nr_objects -
							      WORD_BITS * i));
}

/* With checks=full nothing of an older life of the memory is taken for an
 * object's end. */
static void slab_prepare(const struct run *run)
{
	if (unlikely(config_checks_full()) && !run->zero)
		__builtin_memset(region_addr(run->region, run->unit), 0,
				 (size_t)run->nr_units << UNIT_SHIFT);
}

struct span *slab_open(unsigned size_class, unsigned owner)
{
	struct slab_word w;
	struct slab_view v;
	struct span *slab;
	struct run run;
	unsigned i;

	if (!page_heap_take_run(size_classes[size_class].nr_units, 1, owner,
				false, &run))
		return NULL;
	slab_prepare(&run);
	if (size_class_has_wall(size_class))
		guard_page_set(run.region, run.unit + run.nr_units - 1);
	slab = &run.region->spans[run.unit];
	w = slab_word_unpack(load_relaxed(&slab->word)); // own
	w = slab_word_opened(w, size_class, owner);
	store_relaxed(&slab->word, slab_word_pack(w)); // before publish
	v = slab_view(slab);
	for (i = 0; i < v.size_class->nr_words; i++)
		// before publish
		store_relaxed(&v.bits[i], full_word(v.size_class, i));
	store_relaxed(&slab->clean, 0); // held
	page_map_set_slab(v.region, v.unit, size_class, owner);
	add_relaxed(&nr_open[size_class], 1);
	return slab;
}

uint32_t slab_nr_open(unsigned size_class)
{
	return load_relaxed(&nr_open[size_class]);
}

/* Returns the lowest `most` bits of word. */
static uint64_t lowest_bits(uint64_t word, unsigned most)
{
	uint64_t rest = word;

	if (most >= WORD_BITS)
		return word;
	while (rest && most--)
		rest &= rest - 1;
	return word & ~rest;
}

static unsigned objects_of_bits(const struct slab_view *v, unsigned word,
				uint64_t bits, void **out)
{
	unsigned n = 0;

	for (; bits; bits &= bits - 1) {
		unsigned i = WORD_BITS * word + bits_first(bits);

		out[n++] = v->start + (size_t)i * v->size_class->size;
	}
	return n;
}

/* The word that a take begins with: with hardened=1 any of them. */
static unsigned first_word(unsigned nr_words)
{
	struct draw draw;

	if (likely(!config.hardened))
		return 0;
	draw = draw_begin();
	return draw_below(&draw, nr_words);
}

unsigned slab_take(struct span *slab, void **out, unsigned most)
{
	struct slab_view v = slab_view(slab);
	unsigned nr_words = v.size_class->nr_words, n = 0, k;
	unsigned i = first_word(nr_words);

	for (k = 0; k < nr_words && n < most; k++, i++) {
		i = i < nr_words ? i : 0;
		// held: bits only grow
		uint64_t bits = load_relaxed(&v.bits[i]);

		bits = lowest_bits(bits, most - n);
		if (!bits)
			continue;
		// [slab.bits] with slab_give(): the last use of the objects
		and_acquire(&v.bits[i], ~bits);
		n += objects_of_bits(&v, i, bits, out + n);
	}
	if (unlikely(load_relaxed(&slab->clean))) // held
		slab_purge_forget(slab, out, n);
	return n;
}

bool slab_leave(struct span *slab, uint64_t *word)
{
	struct slab_view v = slab_view(slab);
	unsigned i;

	// [slab.on] with slab_give(): clear on, then read bits, against set
	// bits, then read on; one of the two sees the other's write
	and_seq(&slab->word, ~SLAB_ON);
	for (i = 0; i < v.size_class->nr_words; i++) {
		// [slab.on] with slab_give(): the second half of that pair
		if (!load_seq(&v.bits[i]))
			continue;
		// [slab.on] with slab_give(): exactly one wins the slab
		*word = or_seq(&slab->word, SLAB_ON);
		return *word & SLAB_ON;
	}
	return true;
}

bool slab_is_empty(const struct span *slab)
{
	struct slab_view v = slab_view(slab);
	unsigned i;

	for (i = 0; i < v.size_class->nr_words; i++)
		// [slab.bits] with slab_give(): the last use of the objects
		if (load_acquire(&v.bits[i]) != full_word(v.size_class, i))
			return false;
	return true;
}

void slab_close(struct span *slab)
{
	struct slab_view v = slab_view(slab);
	// held
	struct slab_word w = slab_word_unpack(load_relaxed(&slab->word));
	unsigned i;

	debug_check(slab_is_empty(slab));
	page_map_clear(v.region, v.unit, v.size_class->nr_units);
	for (i = 0; i < v.size_class->nr_words; i++)
		store_relaxed(&v.bits[i], 0);			      // held
	store_relaxed(&slab->word, slab_word_pack(slab_word_won(w))); // held
	sub_relaxed(&nr_open[w.size_class], 1);
	page_heap_give(v.region, v.unit, v.size_class->nr_units);
}

/* Whether it is a descriptor, as far as the bounds that are read here tell. */
static bool span_is_known(const struct span *slab)
{
	struct region *region = region_of_span(slab);
	size_t offset;

	if (unlikely(!region))
		return false;
	offset = (size_t)((const char *)slab - (const char *)region->spans);
	return offset % sizeof(*slab) == 0 &&
	       // [region.nr_committed] with region_raise(): readable
	       offset / sizeof(*slab) < load_acquire(&region->nr_committed);
}

/* The pointer was read from a list without an order, so the bounds may have
 * been read before it, though they come later in the program: a machine that
 * reorders loads finds a slab beyond a bound that was raised for it. Behind the
 * fence the bounds are as new as the pointer is. */
static cold void slab_check_address_again(const struct span *slab)
{
	// [slab.listed] with slab_stack_push(): the bounds that it is within
	// [slab.sent] with slab_inbox_push(): the bounds that it is within
	fence_acquire();
	if (!span_is_known(slab))
		fault("corrupted: a list of slabs has %p", (const void *)slab);
}

void slab_check_address(const struct span *slab)
{
	if (unlikely(!span_is_known(slab)))
		slab_check_address_again(slab);
}

static cold _Noreturn void word_fault(const struct span *slab,
				      struct slab_word w)
{
	fault("corrupted: the slab %p says class %u, owner %u",
	      (const void *)slab, w.size_class, w.owner);
}

void slab_check_word(const struct span *slab, struct slab_word w)
{
	if (unlikely(w.size_class - 1 >= NR_CLASSES - 1) ||
	    unlikely(!size_classes[w.size_class].magic) ||
	    unlikely(w.owner > SLAB_SAMPLED))
		word_fault(slab, w);
}

void slab_check_listed(const struct span *slab, unsigned size_class)
{
	struct slab_word w;

	slab_check_address(slab);
	w = slab_word_unpack(load_relaxed(&slab->word)); // held
	slab_check_word(slab, w);
	if (unlikely(!w.on) || unlikely(w.size_class != size_class))
		word_fault(slab, w);
}

/* Not an object: it came out of a lane that the program wrote over, or was
 * freed twice and its slab is gone since, or serves another class. */
static cold _Noreturn void give_fault(const void *object)
{
	struct block block;

	page_map_find(object, &block);
	if (!block.tag)
		fault("corrupted: %p came back as a block", object);
	page_map_fault(object, "free", &block);
}

/* Finds the slab that an object is of. */
static force_inline struct slab_view view_of_object(const void *object,
						    const struct unit_tag **tag)
{
	struct slab_view v;

	*tag = page_map_slab(object, &v.region);
	if (unlikely(!*tag))
		give_fault(object);
	v.size_class = &size_classes[(*tag)->size_class];
	v.start = (char *)object -
		  ((uint32_t)(uintptr_t)object - (*tag)->start);
	v.unit = region_unit(v.region, v.start);
	v.bits = v.region->bits + (size_t)v.unit * UNIT_BITS_WORDS;
	return v;
}

/* Sets bits that are clear; whether all objects of the word are free now.
 * Adding is setting then, in one instruction; a bit that was set is the end
 * of the program. */
static force_inline bool give_bits(const struct slab_view *v, unsigned word,
				   uint64_t bits)
{
	// [slab.bits] with slab_take(): the objects' last use comes before
	// [slab.on] with slab_leave(): set bits, then read on
	uint64_t old = add_seq(&v->bits[word], bits);

	if (unlikely(old & bits)) {
		sub_relaxed(&v->bits[word], bits); // hint: takes the carry back
		fault("free of %p: already free",
		      (void *)(v->start +
			       (WORD_BITS * word + bits_first(old & bits)) *
				       (size_t)v->size_class->size));
	}
	return (old | bits) == full_word(v->size_class, word);
}

/* Sets the bits of those of objects[0..*n) that are the slab's, up to the
 * first that is not; those of one word by one operation. *n: how many. Whether
 * a word is full now. */
static force_inline bool give_prefix(const struct slab_view *v,
				     const struct unit_tag *tag,
				     void *const *objects, unsigned *n)
{
	size_t size = v->size_class->nr_units * UNIT_SIZE;
	unsigned i = 0, word = 0;
	uint64_t bits = 0, bit;
	struct block block;
	bool filled = false;

	for (i = 0; i < *n; i++) {
		if ((size_t)((char *)objects[i] - v->start) >= size)
			break;
		page_map_object(v->region, tag, objects[i], &block);
		if (unlikely(block.kind != BLOCK_OBJECT))
			give_fault(objects[i]);
		bit = bits_one(block.index % WORD_BITS);
		if (bits && (block.index / WORD_BITS != word || (bits & bit))) {
			filled |= give_bits(v, word, bits);
			bits = 0;
		}
		word = block.index / WORD_BITS;
		bits |= bit;
	}
	*n = i;
	return filled | give_bits(v, word, bits);
}

struct slab_gift slab_give(void *const *objects, unsigned n)
{
	const struct unit_tag *tag;
	struct slab_view v = view_of_object(objects[0], &tag);
	struct slab_gift gift = { .slab = &v.region->spans[v.unit], .nr = n };
	bool filled = give_prefix(&v, tag, objects, &gift.nr);

	// [slab.on] with slab_leave(): the second half: bits set, now read on
	gift.word = load_seq(&gift.slab->word);
	if (likely(gift.word & SLAB_ON)) {
		if (unlikely(filled) && slab_is_empty(gift.slab))
			gift.result = SLAB_GIVEN_EMPTY;
		return gift;
	}
	// [slab.on] with slab_leave(): exactly one wins the slab
	gift.word = or_seq(&gift.slab->word, SLAB_ON);
	if (!(gift.word & SLAB_ON))
		gift.result = SLAB_GIVEN_HELD;
	return gift;
}

void slab_adopt(struct span *slab, unsigned owner)
{
	struct slab_view v = slab_view(slab);
	uint64_t word = load_relaxed(&slab->word); // held: owner is ours
	struct slab_word w = slab_word_adopted(slab_word_unpack(word), owner);

	// held: who wakes meanwhile sets `on`, which is set
	add_relaxed(&slab->word, slab_word_pack(w) - word);
	page_map_set_owner(v.region, v.unit, w.size_class, owner);
}

void slab_wane(struct span *slab)
{
	struct slab_view v = slab_view(slab);
	uint64_t word = load_relaxed(&slab->word); // held: waning is ours
	struct slab_word w = slab_word_unpack(word);

	if (w.waning || v.size_class->size > SMALL_SIZE_MOST ||
	    w.owner == SLAB_SAMPLED)
		return;
	// held: who wakes meanwhile sets `on`, which is set
	add_relaxed(&slab->word, slab_word_pack(slab_word_waned(w)) - word);
	page_map_set_waning(v.region, v.unit, w.size_class);
}

void slab_revive(struct span *slab)
{
	struct slab_view v = slab_view(slab);
	uint64_t word = load_relaxed(&slab->word); // held: waning is ours
	struct slab_word w = slab_word_unpack(word);

	if (!w.waning)
		return;
	// held: who wakes meanwhile sets `on`, which is set
	sub_relaxed(&slab->word, word - slab_word_pack(slab_word_revived(w)));
	page_map_set_owner(v.region, v.unit, w.size_class, w.owner);
}

bool slab_has_free(const struct span *slab)
{
	struct slab_view v = slab_view(slab);
	unsigned i;

	/* Takers begin with the first word. */
	for (i = v.size_class->nr_words; i > 0; i--)
		if (load_relaxed(&v.bits[i - 1])) // hint
			return true;
	return false;
}

unsigned slab_nr_free(const struct span *slab)
{
	struct slab_view v = slab_view(slab);
	unsigned i, nr = 0;

	for (i = 0; i < v.size_class->nr_words; i++)
		nr += bits_count(load_relaxed(&v.bits[i])); // hint
	return nr;
}

uint64_t slab_life(const struct block *block)
{
	const struct span *slab = &block->region->spans[block->unit];
	// own: the generation is const while an object is out
	uint64_t word = load_relaxed(&slab->word);

	return (uint64_t)block->unit << 32 | slab_word_unpack(word).generation;
}
