/* layer 3.2: page map: kinds of blocks, and the one judge of an address
 *
 * The page map is the tags of all regions, one a unit; as a part of the map a
 * tag is called its entry, here and below. It is zero where no block begins;
 * the holder of the units of a slab writes the same entry for each of them,
 * that of a large block one for the first.
 *
 * page_map_find() is the one judge of a pointer. The fast paths look by
 * page_map_try(), which reads region 0's entries below a bound and says no
 * where it would have to look closer.
 *
 *	BLOCK_FOREIGN	no region has the address
 *	BLOCK_NONE	no block: units of nobody, or the end of a slab
 *	BLOCK_INSIDE	not where the block begins
 *	BLOCK_OBJECT	object `index` of the slab at `unit`
 *	BLOCK_RUN	the large block at `unit`
 *	BLOCK_GUARDED	an address in the pool of guarded blocks, which knows
 *			what is there (guard/pool.h)
 *
 * The answer is exact for who holds the block. Whoever else asks (a program
 * that frees twice) may get what was true before or will be: the units may
 * change hands between two loads. Then the bits of the slab, or the length of
 * the run, which one atomic operation takes, decide. An entry that no slab
 * has written is the end of the program.
 *
 * A thread that dies while it writes entries holds the units: they are lost
 * with it. Everything is wait-free; the search for the block that an address
 * is inside of, on the way to a fault(), is bounded by the region.
 */
#ifndef LANE_PAGE_MAP_H
#define LANE_PAGE_MAP_H

#include "pageheap/anchor.h"
#include "slab/size_class.h"

/* The owner of slabs whose objects the profile follows: no CPU's id. Their
 * entries have no magic number, so that no fast path takes them for objects. */
#define SLAB_SAMPLED REGION_TABLE_WORDS

/* An owner in entries that is no id. */
#define OWNER_NOBODY 0xffff

enum block_kind {
	BLOCK_FOREIGN,
	BLOCK_NONE,
	BLOCK_INSIDE,
	BLOCK_OBJECT,
	BLOCK_RUN,
	BLOCK_GUARDED
};

/* What is at a pointer; fields behind `region` where the kind has them. */
struct block {
	enum block_kind kind;
	unsigned size_class;	    /* of an object */
	struct region *region;	    /* NULL: foreign */
	const struct unit_tag *tag; /* NULL: no entry there is usable */
	uint32_t unit;		    /* of a slab or a run, its first */
	uint32_t index;		    /* of an object in its slab, or a slot */
	uint32_t nr_units;	    /* of a run; 0: freed meanwhile */
	size_t size;		    /* bytes behind the pointer */
};

/* Returns 16 * unit number, counted from address 0: the tag, and with it the
 * lane, hangs on the block by as few steps as can be. */
static force_inline size_t page_map_at(const void *pointer)
{
	return round_down((uintptr_t)pointer >> (UNIT_SHIFT - 4), 16);
}

/* Finds the entry of the object that begins at a pointer, as far as the entries
 * below `end` tell; NULL: page_map_find() must judge. */
static force_inline const struct unit_tag *page_map_try(const void *pointer,
							uint64_t end)
{
	size_t at = page_map_at(pointer);
	const struct unit_tag *tag = (void *)(anchor.tags + at);
	uint64_t offset, magic;

	if (unlikely(at - anchor.tags_first >= end))
		return NULL;
	offset = (uint32_t)(uintptr_t)pointer - tag->start;
	magic = load_once(&tag->magic); /* one owner for both */
	if (unlikely(offset * magic >= magic))
		return NULL;
	return tag;
}

_Noreturn void page_map_fault_entry(const void *pointer);

/* Whether an entry, of which that is the magic number, is of a slab that the
 * address lies in. */
static force_inline bool page_map_is_whole(const struct unit_tag *tag,
					   uint64_t magic, const void *pointer)
{
	const struct size_class *size_class = &size_classes[tag->size_class];
	uint32_t offset = (uint32_t)(uintptr_t)pointer - tag->start;

	return likely(tag->size_class < NR_CLASSES) &&
	       likely((magic & ~TAG_OWNER_MASK) == size_class->magic ||
		      !magic) &&
	       likely(offset < size_class->nr_units * UNIT_SIZE);
}

/* Finds the entry of the slab that an address lies in; NULL: in none of the
 * region, or of no region. Else the address lies in the slab's units: an entry
 * that does not say so, no slab has written, and it ends the program. */
static force_inline const struct unit_tag *page_map_slab(const void *pointer,
							 struct region **region)
{
	struct region *r = *region = region_of(pointer);
	const struct unit_tag *tag;
	uint64_t magic;
	uint32_t unit;

	if (unlikely(!r))
		return NULL;
	unit = region_unit(r, pointer);
	// [region.nr_committed] with region_raise(): the tags are readable
	if (unlikely(unit >= load_acquire(&r->nr_committed)))
		return NULL;
	tag = &r->tags[unit];
	magic = load_once(&tag->magic); /* one owner for both */
	if (unlikely(!magic) && !tag_is_sampled(tag))
		return NULL;
	if (unlikely(!page_map_is_whole(tag, magic, pointer)))
		page_map_fault_entry(pointer);
	return tag;
}

/* Reads what a slab's entry tells of an address in it. */
static force_inline void page_map_object(struct region *region,
					 const struct unit_tag *tag,
					 const void *pointer,
					 struct block *block)
{
	uint32_t offset = (uint32_t)(uintptr_t)pointer - tag->start;
	uint64_t magic = load_once(&tag->magic); /* one owner for both */
	unsigned __int128 product;

	if (unlikely(!magic))
		magic = size_classes[tag->size_class].magic; /* sampled */
	product = (unsigned __int128)magic * offset;
	block->kind = BLOCK_OBJECT;
	block->size_class = tag->size_class;
	block->region = region;
	block->tag = tag;
	block->unit = region_unit(region, (const char *)pointer - offset);
	block->index = (uint32_t)(product >> 64);
	block->size = size_classes[tag->size_class].size;
	if (unlikely((uint64_t)product >= magic))
		block->kind = BLOCK_INSIDE;
	if (unlikely(block->index >= size_classes[tag->size_class].nr_objects))
		block->kind = BLOCK_NONE;
}

/* Whether it is an object that the profile follows. */
static force_inline bool page_map_is_sampled(const struct block *block)
{
	return block->kind == BLOCK_OBJECT && tag_is_sampled(block->tag);
}

/* Whether an object's bit is set: it is free in its slab. A hint but for who
 * holds the object. */
static force_inline bool page_map_is_free(const struct block *block)
{
	_Atomic(uint64_t) *bits = block->region->bits;

	bits += (size_t)block->unit * UNIT_BITS_WORDS;
	return load_relaxed(&bits[block->index / WORD_BITS]) & // hint
	       bits_one(block->index % WORD_BITS);
}

/* Finds an object as page_map_try() does that is live as far as its slab
 * knows. */
static force_inline bool page_map_try_live(const void *pointer, uint64_t end,
					   struct block *block)
{
	const struct unit_tag *tag = page_map_try(pointer, end);

	if (unlikely(!tag))
		return false;
	page_map_object(&regions[0], tag, pointer, block);
	return likely(block->kind == BLOCK_OBJECT) &&
	       likely(!page_map_is_free(block));
}

/* Says what is at a pointer: its one judge. */
void page_map_find(const void *pointer, struct block *block);

/* Says it of objects and runs alone, for who holds nothing there: false where
 * there is none, or the entry is just being written. What it says may be
 * over. */
bool page_map_look(const void *pointer, struct block *block);

/* Names what page_map_find() called no block. */
const char *page_map_fault_text(const struct block *block);
/* Ends the program for it, or for one that is none of a slab. */
_Noreturn void page_map_fault(const void *pointer, const char *verb,
			      const struct block *block);

/* Write the entries of units, by who holds them: a slab's, before it hands out
 * an object; nobody's, before they go back; another owner's, while others
 * free. */
void page_map_set_slab(struct region *region, uint32_t unit,
		       unsigned size_class, unsigned owner);
void page_map_clear(struct region *region, uint32_t unit, uint32_t nr_units);
void page_map_set_owner(struct region *region, uint32_t unit,
			unsigned size_class, unsigned owner);

/* Sends all objects home, whoever frees them: in the entries nobody is the
 * owner. page_map_set_owner() ends that. */
void page_map_set_waning(struct region *region, uint32_t unit,
			 unsigned size_class);

/* Makes held units one block, before it is handed out. */
void page_map_set_run(struct region *region, uint32_t unit, uint32_t nr_units);

/* Makes held units the pool of guarded blocks. */
void page_map_set_guarded(struct region *region, uint32_t unit,
			  uint32_t nr_units);

/* Takes the run's length away; of two callers one gets it, the other 0. */
uint32_t page_map_take_run(const struct block *block);

/* Says how long the holder of a run made it. */
void page_map_resize_run(struct block *block, uint32_t nr_units);

#endif
