/* kinds: the last thread's calls, one stepped at a time */
#include "last.h"

#include <malloc.h>

struct worker many[NR_THREADS_MOST];
unsigned nr_many;

/* Each power of two about as likely as the others. */
static size_t between(struct worker *w, size_t least, size_t most)
{
	size_t size = least;

	while (size * 2 <= most && load_below(w, 5))
		size *= 2;
	size += load_below(w, size);
	return size < most ? size : most;
}

static bool alloc_one(struct worker *w, size_t least, size_t most)
{
	struct block *slot = slot_empty(w);
	size_t size = between(w, least, most);
	void *at;

	STEPPED(at = malloc(size));
	slot_fill(w, slot, at, size);
	return true;
}

static bool free_block(struct worker *w, struct block *slot)
{
	void *at = let_go(w, slot);

	STEPPED(free(at));
	return true;
}

/* A block of its own between these sizes; makes one. */
static struct block *own_block(struct worker *w, size_t least, size_t most)
{
	unsigned from = (unsigned)load_below(w, NR_SLOTS), i;
	struct block *slot;

	for (i = 0; i < NR_SLOTS; i++) {
		slot = &w->slots[(from + i) % NR_SLOTS];
		if (slot->at && slot->size >= least && slot->size <= most)
			return slot;
	}
	slot = slot_empty(w);
	slot_alloc(w, slot, between(w, least, most));
	return slot->at ? slot : NULL;
}

static bool free_one(struct worker *w, size_t least, size_t most)
{
	struct block *slot = own_block(w, least, most);

	return slot && free_block(w, slot);
}

static bool resize_one(struct worker *w, size_t least, size_t most)
{
	struct block *slot = own_block(w, least, most), old;
	size_t size = between(w, least, most);
	void *at;

	if (!slot)
		return false;
	old = *slot;
	let_go(w, slot);
	STEPPED(at = realloc(old.at, size));
	slot_fill(w, slot, at ? at : old.at, at ? size : old.size);
	return true;
}

/* A block that a stopped thread holds: it comes to its owner's slab. */
static bool free_others(struct worker *w, size_t least, size_t most)
{
	unsigned i;
	struct worker *from = &many[load_below(w, nr_many)];
	struct block *slot;

	for (i = 0; i < NR_SLOTS; i++) {
		slot = &from->slots[load_below(w, NR_SLOTS)];
		if (slot->at && slot->size >= least && slot->size <= most)
			return free_block(w, slot);
	}
	return false;
}

static bool calloc_one(struct worker *w, size_t least, size_t most)
{
	struct block *slot = slot_empty(w);
	size_t size = between(w, least, most);
	void *at;

	STEPPED(at = calloc(1, size));
	slot_fill(w, slot, at, size);
	return true;
}

static bool aligned_one(struct worker *w, size_t least, size_t most)
{
	struct block *slot = slot_empty(w);
	size_t align = (size_t)32 << load_below(w, 19);
	size_t size = between(w, least, most);
	void *at;

	STEPPED(at = memalign(align, size));
	slot_fill(w, slot, at, size);
	return true;
}

static bool usable_one(struct worker *w, size_t least, size_t most)
{
	struct block *slot = own_block(w, least, most);

	if (!slot)
		return false;
	STEPPED(malloc_usable_size(slot->at));
	return true;
}

#define SMALL 1, 1 * KIB
#define MEDIUM 1 * KIB, 512 * KIB
#define LARGE 520 * KIB, 2 * MIB
#define HUGE 2 * MIB, 48 * MIB
#define ANY 1, 64 * MIB

const struct kind kinds[] = {
	{ .name = "malloc to 1K", 60000, alloc_one, SMALL },
	{ .name = "malloc to 512K", 60000, alloc_one, MEDIUM },
	{ .name = "malloc to 2M", 60000, alloc_one, LARGE },
	{ .name = "malloc to 48M", 60000, alloc_one, HUGE },
	{ .name = "free to 1K", 60000, free_one, SMALL },
	{ .name = "free to 512K", 60000, free_one, MEDIUM },
	{ .name = "free to 2M", 60000, free_one, LARGE },
	{ .name = "free to 48M", 160000, free_one, HUGE },
	{ .name = "free another's", 60000, free_others, ANY,
	  .of_others = true },
	{ .name = "realloc to 1K", 80000, resize_one, SMALL },
	{ .name = "realloc to 512K", 80000, resize_one, MEDIUM },
	{ .name = "realloc to 2M", 80000, resize_one, LARGE },
	{ .name = "calloc to 256K", 60000, calloc_one, 8, 256 * KIB },
	{ .name = "memalign", 60000, aligned_one, 8, 256 * KIB },
	{ .name = "usable size", 400, usable_one, ANY },
	{ 0 },
};
