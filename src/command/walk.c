/* layer 7.3: walk: over the units of all regions; see heap.h */
#include "command/walk.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK ((uint64_t)2048) /* units that are read at once */

/* What was read of one chunk. */
struct chunk {
	uint64_t first, nr;
	char *tags, *spans, *bits;
	uint64_t dirty[CHUNK / 64 + 1], guards[CHUNK / 64 + 1];
	struct piece pieces[CHUNK];
	uint32_t slabs[CHUNK]; /* units, in the order of pieces */
	size_t nr_slabs;
};

/* Free units side by side, over chunks. */
struct free_run {
	uint64_t address, nr_units;
	bool dirty;
	uint64_t whole; /* of either kind */
};

uint64_t walk_field(const void *base, uint64_t stride, uint64_t at, size_t size)
{
	uint64_t value = 0;

	if (at > stride || size > stride - at)
		return 0;
	memcpy(&value, (const char *)base + at, size);
	return value;
}

bool walk_area(struct walk *walk, uint64_t i, struct area *a)
{
	const struct lanemalloc_view *v = &walk->root->view;
	uint64_t stride = v->region_stride;
	char buf[65536];

	if (!image_read(walk->image, v->regions + i * stride, buf, stride))
		return false;
	if (walk_field(buf, stride, v->region_state_at, 4) != v->region_ready)
		return false;
	a->base = walk_field(buf, stride, v->region_base_at, 8);
	a->tags = walk_field(buf, stride, v->region_tags_at, 8);
	a->spans = walk_field(buf, stride, v->region_spans_at, 8);
	a->bits = walk_field(buf, stride, v->region_bits_at, 8);
	a->dirty = walk_field(buf, stride, v->region_dirty_at, 8);
	a->guards = walk_field(buf, stride, v->region_guards_at, 8);
	a->nr_units = walk_field(buf, stride, v->region_nr_units_at, 4);
	a->nr_committed = walk_field(buf, stride, v->region_nr_committed_at, 4);
	a->nr_used = walk_field(buf, stride, v->region_nr_used_at, 4);
	a->nr_mapped = walk_field(buf, stride, v->region_nr_mapped_at, 4);
	if (a->nr_used > a->nr_committed)
		a->nr_used = a->nr_committed;
	return a->base && a->tags && a->nr_used < UNITS_MOST;
}

static void range_note(struct walk *walk, uint64_t begin, uint64_t size)
{
	struct places *p = &walk->places;

	if (!begin || p->nr == sizeof(p->begins) / sizeof(p->begins[0]))
		return;
	p->begins[p->nr] = begin;
	p->ends[p->nr++] = begin + size;
}

static void counts_note(struct walk *walk, const struct area *a)
{
	const struct lanemalloc_view *v = &walk->root->view;
	struct lanemalloc_stats *s = &walk->heap->stats;

	s->reserved_size += a->nr_units * v->unit_size;
	s->committed_size += a->nr_mapped * v->unit_size;
	/* As the library estimates it. */
	s->metadata_size +=
		a->nr_used * (v->tag_stride + v->span_stride + v->bits_stride) +
		a->nr_used / 64 * 24 + v->nr_caches * 8;
}

/* Bits of the chunk's slabs, each as many as its class has words. */
static void slabs_note(struct walk *walk, const struct area *a, struct chunk *c,
		       uint64_t unit, unsigned kind)
{
	const struct lanemalloc_view *v = &walk->root->view;
	uint64_t words = (walk->heap->classes[kind].nr_objects + 63) / 64;

	if (words * 8 > v->bits_stride)
		words = v->bits_stride / 8;
	c->pieces[c->nr_slabs] = (struct piece){
		a->bits + (c->first + unit) * v->bits_stride, words * 8
	};
	c->slabs[c->nr_slabs++] = (uint32_t)unit;
}

static unsigned tag_class(const struct lanemalloc_view *v, const char *tag)
{
	uint64_t word = walk_field(tag, v->tag_stride, v->tag_class_at, 2);

	return (unsigned)(word >> v->tag_class_shift);
}

static bool tag_begins_slab(struct walk *walk, const struct area *a,
			    const struct chunk *c, uint64_t unit)
{
	const struct lanemalloc_view *v = &walk->root->view;
	const char *tag = c->tags + unit * v->tag_stride;
	uint64_t address = a->base + (c->first + unit) * v->unit_size;
	unsigned kind = tag_class(v, tag);

	return kind && kind < walk->heap->nr_classes &&
	       walk->heap->classes[kind].nr_objects &&
	       walk_field(tag, v->tag_stride, v->tag_start_at, 4) ==
		       (uint32_t)address;
}

/* False: its tags are not there at all. */
static bool chunk_read(struct walk *walk, const struct area *a, struct chunk *c)
{
	const struct lanemalloc_view *v = &walk->root->view;
	struct piece tags = { a->tags + c->first * v->tag_stride,
			      c->nr * v->tag_stride };
	struct piece spans = { a->spans + c->first * v->span_stride,
			       c->nr * v->span_stride };
	struct piece dirty = { a->dirty + c->first / 8, sizeof(c->dirty) };
	struct piece guards = { a->guards + c->first / 8, sizeof(c->guards) };

	if (!image_read_pieces(walk->image, &tags, 1, c->tags))
		return false;
	image_read_pieces(walk->image, &spans, 1, c->spans);
	image_read_pieces(walk->image, &dirty, 1, c->dirty);
	image_read_pieces(walk->image, &guards, 1, c->guards);
	c->nr_slabs = 0;
	for (uint64_t unit = 0; unit < c->nr; unit++)
		if (tag_begins_slab(walk, a, c, unit))
			slabs_note(
				walk, a, c, unit,
				tag_class(v, c->tags + unit * v->tag_stride));
	image_read_pieces(walk->image, c->pieces, c->nr_slabs, c->bits);
	return true;
}

static unsigned count_bits(const char *bits, size_t size)
{
	unsigned n = 0;
	uint64_t word;

	for (size_t i = 0; i + 8 <= size; i += 8) {
		memcpy(&word, bits + i, 8);
		n += (unsigned)__builtin_popcountll(word);
	}
	return n;
}

static void owner_note(struct walk *walk, const char *span)
{
	const struct lanemalloc_view *v = &walk->root->view;
	uint64_t owner = walk_field(span, v->span_stride, v->span_owner_at, 2);

	for (unsigned i = 0; i < walk->heap->nr_cpus; i++)
		if (walk->heap->cpus[i].id == owner)
			walk->heap->cpus[i].nr_slabs++;
}

/* How many units to go on by. */
static uint64_t slab_visit(struct walk *walk, const char *span,
			   struct unit_run *run, const char *bits, size_t size)
{
	const struct lanemalloc_view *v = &walk->root->view;
	struct heap_class *k = &walk->heap->classes[run->size_class];
	unsigned nr_free = count_bits(bits, size);
	uint64_t clean, free_size;

	if (nr_free > k->nr_objects) {
		walk->heap->nr_odd++;
		nr_free = k->nr_objects;
	}
	run->kind = UNIT_SLAB;
	run->nr_objects = k->nr_objects;
	run->nr_used = k->nr_objects - nr_free;
	run->nr_units = k->nr_units ? k->nr_units : 1;
	run->generation = (uint32_t)walk_field(span, v->span_stride,
					       v->span_generation_at, 4);
	k->nr_slabs++;
	k->nr_free += nr_free;
	k->nr_quarter += run->nr_used <= k->nr_objects / 4;
	k->fullness[run->nr_used * (FULLNESS - 1) / k->nr_objects]++;
	clean = walk_field(span, v->span_stride, v->span_clean_at, 8);
	clean = (uint64_t)__builtin_popcountll(clean) * walk->page_size;
	free_size = (uint64_t)nr_free * k->size;
	k->pinned_size += free_size > clean ? free_size - clean : 0;
	owner_note(walk, span);
	return run->nr_units;
}

static uint64_t large_visit(struct walk *walk, const struct area *a,
			    const struct chunk *c, uint64_t unit,
			    struct unit_run *run)
{
	const struct lanemalloc_view *v = &walk->root->view;
	struct lanemalloc_stats *s = &walk->heap->stats;
	uint64_t n = walk_field(c->spans + unit * v->span_stride,
				v->span_stride, v->span_nr_units_at, 4);
	uint64_t last = c->first + unit + n - 1, word;

	if (!n || n > a->nr_units - (c->first + unit)) {
		walk->heap->nr_odd += n != 0;
		return 0;
	}
	word = last < c->first + c->nr ?
		       c->guards[(last - c->first) / 64] :
		       root_word(walk->image, a->guards + last / 64 * 8);
	run->kind = UNIT_LARGE;
	run->nr_units = n;
	s->nr_large++;
	s->live_large_size += n * v->unit_size -
			      (word >> (last % 64) & 1 ? walk->page_size : 0);
	return n;
}

static void free_run_tell(struct walk *walk, struct free_run *f)
{
	struct unit_run run = {
		.kind = f->dirty ? UNIT_FREE_DIRTY : UNIT_FREE_CLEAN,
		.address = f->address,
		.nr_units = f->nr_units,
	};

	if (f->nr_units && walk->visit)
		walk->visit(walk->context, &run);
	f->nr_units = 0;
}

/* Something begins behind it. */
static void free_run_end(struct walk *walk, struct free_run *f)
{
	struct heap *heap = walk->heap;
	unsigned i = 0;

	free_run_tell(walk, f);
	if (!f->whole)
		return;
	while (f->whole >> (i + 1) && i + 1 < RUN_SIZES)
		i++;
	heap->free_runs[i]++;
	heap->nr_free_runs++;
	if (f->whole > heap->longest_run)
		heap->longest_run = f->whole;
	f->whole = 0;
}

static void free_unit(struct walk *walk, const struct area *a,
		      const struct chunk *c, uint64_t unit, struct free_run *f)
{
	bool dirty = c->dirty[unit / 64] >> (unit % 64) & 1;

	if (f->nr_units && f->dirty != dirty)
		free_run_tell(walk, f);
	if (!f->nr_units) {
		f->address = a->base +
			     (c->first + unit) * walk->root->view.unit_size;
		f->dirty = dirty;
	}
	f->nr_units++;
	f->whole++;
}

/* One unit; how many to go on by. */
static uint64_t unit_visit(struct walk *walk, const struct area *a,
			   struct chunk *c, uint64_t unit, size_t *slab,
			   const char **bits, struct free_run *f)
{
	const struct lanemalloc_view *v = &walk->root->view;
	unsigned kind = tag_class(v, c->tags + unit * v->tag_stride);
	struct unit_run run = {
		.address = a->base + (c->first + unit) * v->unit_size,
		.size_class = kind,
	};
	uint64_t n = 0;

	while (*slab < c->nr_slabs && c->slabs[*slab] < unit)
		*bits += c->pieces[(*slab)++].size;
	if (kind == v->class_large)
		n = large_visit(walk, a, c, unit, &run);
	else if (*slab < c->nr_slabs && c->slabs[*slab] == unit)
		n = slab_visit(walk, c->spans + unit * v->span_stride, &run,
			       *bits, c->pieces[*slab].size);
	if (!n) {
		free_unit(walk, a, c, unit, f);
		return 1;
	}
	free_run_end(walk, f);
	if (walk->visit)
		walk->visit(walk->context, &run);
	return n;
}

static void area_walk(struct walk *walk, const struct area *a, struct chunk *c)
{
	struct free_run f = { 0 };
	uint64_t unit = 0;
	const char *bits;
	size_t slab;

	while (unit < a->nr_used) {
		/* Words of dirty and guards begin with the chunk. */
		uint64_t skip = unit % 64;

		c->first = unit - skip;
		c->nr = a->nr_used - c->first;
		if (c->nr > CHUNK)
			c->nr = CHUNK;
		if (!chunk_read(walk, a, c)) {
			walk->heap->nr_odd++;
			break;
		}
		bits = c->bits;
		slab = 0;
		for (unit = skip; unit < c->nr;)
			unit += unit_visit(walk, a, c, unit, &slab, &bits, &f);
		unit += c->first;
	}
	free_run_end(walk, &f);
}

/* Its metadata lie side by side, each array where the one before ends. */
static void metadata_note(struct walk *walk, const struct area *a)
{
	const struct lanemalloc_view *v = &walk->root->view;

	range_note(walk, a->tags, a->nr_committed * v->tag_stride);
	range_note(walk, a->spans, a->nr_committed * v->span_stride);
	range_note(walk, a->bits, a->nr_committed * v->bits_stride);
	range_note(walk, a->dirty, a->nr_units / 8);
	range_note(walk, a->guards, a->nr_units / 8);
}

static bool chunk_make(struct chunk **out, const struct lanemalloc_view *v)
{
	struct chunk *c = calloc(1, sizeof(*c));

	*out = c;
	if (!c)
		return false;
	c->tags = malloc(CHUNK * v->tag_stride);
	c->spans = malloc(CHUNK * v->span_stride);
	c->bits = malloc(CHUNK * v->bits_stride);
	return c->tags && c->spans && c->bits;
}

static void chunk_free(struct chunk *c)
{
	if (!c)
		return;
	free(c->tags);
	free(c->spans);
	free(c->bits);
	free(c);
}

bool walk_heap(struct walk *walk)
{
	const struct lanemalloc_view *v = &walk->root->view;
	struct chunk *c;
	struct area a;
	uint64_t i;

	if (!chunk_make(&c, v)) {
		chunk_free(c);
		return image_fails(walk->image, "no memory");
	}
	for (i = 0; i < v->nr_regions; i++)
		if (walk_area(walk, i, &a))
			range_note(walk, a.base, a.nr_units * v->unit_size);
	walk->places.nr_blocks = walk->places.nr;
	for (i = 0; i < v->nr_regions; i++) {
		if (!walk_area(walk, i, &a))
			continue;
		counts_note(walk, &a);
		metadata_note(walk, &a);
		area_walk(walk, &a, c);
	}
	chunk_free(c);
	return true;
}
