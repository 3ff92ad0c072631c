/* layer 7.4: followed: what the blocks that a profile follows waste and pin;
 * contract in followed.h */
#include "command/followed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command/levels.h"
#include "command/walk.h"

/* A slab as it was seen, in the order of addresses. */
struct seen {
	uint64_t address;
	uint32_t generation, nr_used;
	unsigned size_class;
};

struct reading {
	struct image *image;
	const struct root *root;
	struct profile *profile;
	struct heap heap;
	uint64_t infos; /* what belongs to the keys */
	struct seen *slabs;
	size_t nr_slabs;
	uint64_t *bases; /* of regions */
	bool failed;
};

/* What is known of a block. */
struct block {
	uint64_t size, record, size_class, region, life;
};

/* Every slab that a walk meets. */
static void slab_note(void *context, const struct unit_run *run)
{
	struct reading *r = context;
	size_t n = r->nr_slabs;
	struct seen *slabs = r->slabs;

	if (run->kind != UNIT_SLAB || r->failed)
		return;
	if (!(n & (n - 1)))
		slabs = realloc(slabs, (n ? 2 * n : 1) * sizeof(*slabs));
	if (!slabs) {
		r->failed = true;
		return;
	}
	r->slabs = slabs;
	slabs[n] = (struct seen){ run->address, run->generation, run->nr_used,
				  run->size_class };
	r->nr_slabs++;
}

static int compare_slabs(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static bool bases_read(struct reading *r)
{
	const struct lanemalloc_view *v = &r->root->view;

	r->bases = calloc(v->nr_regions, sizeof(*r->bases));
	for (uint64_t i = 0; r->bases && i < v->nr_regions; i++)
		r->bases[i] = root_word(r->image, v->regions +
							  i * v->region_stride +
							  v->region_base_at);
	return r->bases;
}

/* False: it cannot be read. */
static bool block_read(struct reading *r, uint64_t i, struct block *b)
{
	const struct lanemalloc_view *v = &r->root->view;
	uint64_t first, shift = v->live_size_bits;
	char info[256];

	if (!image_read(r->image, r->infos + i * v->live_stride, info,
			v->live_stride))
		return false;
	first = walk_field(info, v->live_stride, 0, 8);
	b->size = first & (UINT64_MAX >> (64 - shift));
	b->size_class = first >> shift & ((1u << v->live_class_bits) - 1);
	shift += v->live_class_bits;
	b->region = first >> shift & ((1u << v->live_region_bits) - 1);
	b->record = walk_field(info, v->live_stride, v->live_record_at, 4);
	b->life = walk_field(info, v->live_stride, v->live_life_at, 8);
	return true;
}

/* What it leaves unused in its class. */
static uint64_t waste_of(const struct reading *r, uint64_t size)
{
	uint64_t unit = r->root->view.unit_size;
	uint64_t least = (size + unit - 1) & -unit;

	for (unsigned i = 1; i < r->heap.nr_classes; i++)
		if (r->heap.classes[i].size >= size &&
		    r->heap.classes[i].size < least)
			least = r->heap.classes[i].size;
	return least > size ? least - size : 0;
}

/* Whether another block or a CPU's cache has an object of the slab. */
static bool slab_is_used(const struct reading *r, const struct block *b)
{
	struct seen key = { .address = r->bases[b->region] +
				       (b->life >> 32) *
					       r->root->view.unit_size };
	const struct seen *found = bsearch(&key, r->slabs, r->nr_slabs,
					   sizeof(key), compare_slabs);

	return found && found->generation == (uint32_t)b->life &&
	       found->size_class == b->size_class && found->nr_used;
}

/* Bytes of the slab that it alone keeps from going back. */
static uint64_t pinned_by(const struct reading *r, const struct block *b)
{
	if (!b->size_class || b->size_class >= r->heap.nr_classes ||
	    b->region >= r->root->view.nr_regions || slab_is_used(r, b))
		return 0;
	return r->heap.classes[b->size_class].nr_units *
	       r->root->view.unit_size;
}

static int compare_records(const void *a, const void *b)
{
	const struct stack *x = a, *y = b;

	return (x->record > y->record) - (x->record < y->record);
}

static void block_note(struct reading *r, const struct block *b)
{
	double interval = (double)r->profile->interval, chance = 1;
	struct stack key = { .record = b->record };
	struct stack *stack = bsearch(&key, r->profile->stacks,
				      r->profile->nr_stacks, sizeof(key),
				      compare_records);

	if (interval > 1)
		chance = -expm1(-(double)b->size / interval);
	if (!stack || !(chance > 0))
		return;
	stack->values[PROFILE_wasted_space] +=
		(int64_t)((double)waste_of(r, b->size) / chance);
	stack->values[PROFILE_pinned_space] +=
		(int64_t)((double)pinned_by(r, b) / chance);
}

/* The entries of a level may all be free while a further one has some. */
static bool keys_note(void *context, const void *entries, uint64_t first,
		      uint64_t nr)
{
	struct reading *r = context;
	const uint64_t *keys = entries;
	struct block b;

	for (uint64_t i = 0; i < nr; i++)
		if (keys[i] && block_read(r, first + i, &b))
			block_note(r, &b);
	return true;
}

bool followed_read(struct image *image, const struct root *root, uint64_t keys,
		   uint64_t nr_keys, struct profile *profile)
{
	struct reading r = { .image = image,
			     .root = root,
			     .profile = profile,
			     .infos = keys + 8 * nr_keys };
	bool done;

	if (!heap_read(image, root, &r.heap, slab_note, &r)) {
		free(r.slabs);
		return false;
	}
	if (profile->nr_stacks)
		qsort(profile->stacks, profile->nr_stacks,
		      sizeof(*profile->stacks), compare_records);
	if (r.nr_slabs)
		qsort(r.slabs, r.nr_slabs, sizeof(*r.slabs), compare_slabs);
	done = !r.failed && bases_read(&r) &&
	       levels_read(image, keys, nr_keys, 8, keys_note, &r);
	heap_free(&r.heap);
	free(r.slabs);
	free(r.bases);
	return done || image_fails(image, "no memory");
}
