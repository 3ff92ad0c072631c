/* layer 7.3: waiting: small freed blocks that wait in rings of their CPU's */
#include "command/waiting.h"

#include <stdlib.h>

#define STEP 512u			/* places that are read at once */
#define PLACES_MOST ((uint64_t)1 << 27) /* of a ring, beyond which it is none */

/* The regions, and what one step reads. */
struct step {
	struct area *areas;
	size_t nr_areas;
	uint64_t slots[STEP];
	struct piece pieces[STEP];
	uint16_t classes[STEP];
};

static bool areas_read(struct walk *walk, struct step *step)
{
	uint64_t i, nr = walk->root->view.nr_regions;

	step->nr_areas = 0;
	step->areas = calloc(nr, sizeof(*step->areas));
	for (i = 0; step->areas && i < nr; i++)
		step->nr_areas += walk_area(walk, i,
					    &step->areas[step->nr_areas]);
	return step->areas;
}

/* Where the class of the block's slab stands; 0: nowhere. */
static uint64_t class_address(const struct lanemalloc_view *v,
			      const struct step *step, uint64_t block)
{
	const struct area *a;
	uint64_t unit;

	for (a = step->areas; a < step->areas + step->nr_areas; a++) {
		unit = (block - a->base) / v->unit_size;
		if (block >= a->base && unit < a->nr_used)
			return a->tags + unit * v->tag_stride + v->tag_class_at;
	}
	return 0;
}

static uint64_t step_size(struct walk *walk, struct step *step, size_t n)
{
	const struct lanemalloc_view *v = &walk->root->view;
	uint64_t size = 0, address;
	size_t i, nr = 0;
	unsigned kind;

	for (i = 0; i < n; i++) {
		address = class_address(v, step, step->slots[i]);
		if (address)
			step->pieces[nr++] = (struct piece){ address, 2 };
	}
	image_read_pieces(walk->image, step->pieces, nr, step->classes);
	for (i = 0; i < nr; i++) {
		kind = step->classes[i] >> v->tag_class_shift;
		if (kind < walk->heap->nr_classes)
			size += walk->heap->classes[kind].size;
	}
	return size;
}

static uint64_t ring_size(struct walk *walk, struct step *step,
			  const char *ring)
{
	const struct lanemalloc_view *v = &walk->root->view;
	uint64_t nr = walk_field(ring, v->ring_stride, v->ring_nr_places_at, 8);
	uint64_t slots = walk_field(ring, v->ring_stride, v->ring_slots_at, 8);
	uint64_t at, n, size = 0;

	for (at = 0; nr <= PLACES_MOST && at < nr; at += n) {
		n = nr - at < STEP ? nr - at : STEP;
		if (image_read(walk->image, slots + at * 8, step->slots, n * 8))
			size += step_size(walk, step, n);
	}
	return size;
}

static uint64_t rings_size(struct walk *walk, struct step *step,
			   uint64_t address)
{
	const struct lanemalloc_view *v = &walk->root->view;
	size_t whole = v->nr_rings * v->ring_stride;
	char *rings = malloc(whole);
	uint64_t i, size = 0;

	if (rings && image_read(walk->image, address, rings, whole))
		for (i = 0; i < v->nr_rings; i++)
			size += ring_size(walk, step,
					  rings + i * v->ring_stride);
	free(rings);
	return size;
}

uint64_t waiting_size(struct walk *walk)
{
	const struct lanemalloc_view *v = &walk->root->view;
	uint64_t *words = calloc(v->nr_caches, 8), i, size = 0;
	struct step *step = calloc(1, sizeof(*step));

	if (v->rings && words && step && areas_read(walk, step) &&
	    image_read(walk->image, v->rings, words, v->nr_caches * 8))
		for (i = 0; i < v->nr_caches; i++)
			if (words[i] > v->ring_none)
				size += rings_size(walk, step, words[i]);
	if (step)
		free(step->areas);
	free(step);
	free(words);
	return size;
}
