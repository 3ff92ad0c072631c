/* layer 7.4: profile: the sampler's tables of a process or a core; contract in
 * profile.h */
#include "command/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/profile_file.h"
#include "command/walk.h"

#define LEVEL_LEAST 512u /* entries of the first level, as levels.h has it */
#define STACK_MOST 256u
#define ENTRIES_MOST ((uint64_t)1 << 28)

struct tables {
	uint64_t sites, nr_sites, index, nr_index;
	uint64_t records, nr_words, keys, nr_keys;
};

struct stack *profile_add_stack(struct profile *profile, size_t nr_frames)
{
	size_t n = profile->nr_stacks;
	struct stack *stacks = profile->stacks, *stack;

	if (!(n & (n - 1)))
		stacks = realloc(stacks, (n ? 2 * n : 1) * sizeof(*stacks));
	if (!stacks)
		return NULL;
	profile->stacks = stacks;
	stack = &stacks[n];
	*stack = (struct stack){ .nr_frames = nr_frames };
	stack->frames = calloc(nr_frames ? nr_frames : 1,
			       sizeof(*stack->frames));
	if (!stack->frames)
		return NULL;
	profile->nr_stacks++;
	return stack;
}

struct mapping *profile_add_mapping(struct profile *profile)
{
	size_t n = profile->nr_mappings;
	struct mapping *m = profile->mappings;

	if (!(n & (n - 1)))
		m = realloc(m, (n ? 2 * n : 1) * sizeof(*m));
	if (!m)
		return NULL;
	profile->mappings = m;
	m[n] = (struct mapping){ 0 };
	profile->nr_mappings++;
	return &m[n];
}

void profile_free(struct profile *profile)
{
	for (size_t i = 0; i < profile->nr_stacks; i++)
		free(profile->stacks[i].frames);
	for (size_t i = 0; i < profile->nr_mappings; i++) {
		free(profile->mappings[i].path);
		free(profile->mappings[i].build_id);
	}
	free(profile->stacks);
	free(profile->mappings);
	*profile = (struct profile){ 0 };
}

static bool mappings_note(struct image *image, struct profile *profile)
{
	for (size_t i = 0; i < image->nr_ranges; i++) {
		const struct range *r = &image->ranges[i];
		struct mapping *m;

		/* A core's files do not say which of them are code. */
		if ((image->pid && !r->code) || !r->path[0])
			continue;
		m = profile_add_mapping(profile);
		if (!m)
			return false;
		m->begin = r->begin;
		m->end = r->end;
		m->offset = r->offset;
		m->path = strdup(r->path);
		m->build_id = strdup("");
		if (!m->path || !m->build_id)
			return false;
	}
	return true;
}

static uint32_t mapping_of(const struct profile *profile, uint64_t address)
{
	for (size_t i = 0; i < profile->nr_mappings; i++)
		if (address >= profile->mappings[i].begin &&
		    address < profile->mappings[i].end)
			return (uint32_t)i + 1;
	return 0;
}

/* Of a record; false: it holds no sense. */
static bool record_head(struct image *image, const struct root *root,
			const struct tables *t, uint64_t number, char *head,
			uint32_t *nr)
{
	const struct lanemalloc_view *v = &root->view;
	uint64_t size = v->record_sites_at;

	if (number >= t->nr_words || size > 4096 ||
	    !image_read(image, t->records + 8 * number, head, size))
		return false;
	memcpy(nr, head + 8, sizeof(*nr));
	return *nr <= STACK_MOST;
}

static int64_t objects(const struct lanemalloc_view *v, uint64_t weight)
{
	return (int64_t)((weight + (1ull << v->profile_weight_shift) / 2) >>
			 v->profile_weight_shift);
}

/* The counts as the file has them. */
static void values_read(const struct lanemalloc_view *v, const char *head,
			int64_t *values)
{
	uint64_t c[11];
	const uint64_t numbers[11] = {
		v->count_alloc_objects, v->count_alloc_space,
		v->count_freed_objects, v->count_freed_space,
		v->count_peak_objects,	v->count_peak_space,
		v->count_lifetime,
	};

	for (int i = 0; i < 7; i++) {
		uint64_t at = v->record_counts_at + 8 * numbers[i];

		c[i] = 0;
		if (numbers[i] < 64 && at + 8 <= v->record_sites_at)
			memcpy(&c[i], head + at, 8);
	}
	values[PROFILE_alloc_objects] = objects(v, c[0]);
	values[PROFILE_alloc_space] = (int64_t)c[1];
	values[PROFILE_inuse_objects] = c[0] > c[2] ? objects(v, c[0] - c[2]) :
						      0;
	values[PROFILE_inuse_space] = c[1] > c[3] ? (int64_t)(c[1] - c[3]) : 0;
	values[PROFILE_freed_objects] = objects(v, c[2]);
	values[PROFILE_peak_objects] = objects(v, c[4]);
	values[PROFILE_peak_space] = (int64_t)c[5];
	values[PROFILE_lifetime] = (int64_t)c[6];
}

static bool record_note(struct image *image, const struct root *root,
			const struct tables *t, uint64_t number,
			struct profile *profile)
{
	uint32_t sites[STACK_MOST], nr;
	struct stack *stack;
	char head[4096];

	if (!record_head(image, root, t, number, head, &nr))
		return true;
	if (nr &&
	    !image_read(image,
			t->records + 8 * number + root->view.record_sites_at,
			sites, nr * sizeof(sites[0])))
		return true;
	stack = profile_add_stack(profile, nr);
	if (!stack)
		return false;
	stack->record = number;
	values_read(&root->view, head, stack->values);
	for (uint32_t i = 0; i < nr; i++) {
		uint64_t at = t->sites + 8 * ((uint64_t)sites[i] - 1);
		uint64_t address = sites[i] && sites[i] <= t->nr_sites ?
					   root_word(image, at) :
					   0;

		stack->frames[i].address = address ? address - 1 : 0;
		stack->frames[i].mapping = mapping_of(profile, address - 1);
	}
	return true;
}

/* Calls note for each level of a table, until one is empty. */
static bool levels_read(struct image *image, uint64_t address,
			uint64_t nr_entries, size_t size,
			bool (*note)(void *context, const void *entries,
				     uint64_t first, uint64_t nr),
			void *context)
{
	uint64_t first = 0, nr = LEVEL_LEAST;
	bool more = true;

	for (; more && first + nr <= nr_entries && first < ENTRIES_MOST;
	     first += nr, nr *= 2) {
		struct piece piece = { address + first * size, nr * size };
		char *entries = malloc(piece.size);

		if (!entries)
			return false;
		if (!image_read_pieces(image, &piece, 1, entries))
			more = false;
		else
			more = note(context, entries, first, nr);
		free(entries);
	}
	return true;
}

struct reading {
	struct image *image;
	const struct root *root;
	const struct tables *tables;
	struct profile *profile;
	const struct heap *heap;
	bool failed;
};

static bool index_note(void *context, const void *entries, uint64_t first,
		       uint64_t nr)
{
	struct reading *r = context;
	const uint32_t *numbers = entries;
	bool any = false;

	(void)first;
	for (uint64_t i = 0; i < nr && !r->failed; i++) {
		if (!numbers[i])
			continue;
		any = true;
		if (!record_note(r->image, r->root, r->tables, numbers[i],
				 r->profile))
			r->failed = true;
	}
	return any && !r->failed;
}

/* What a block of so many bytes leaves unused in its class. */
static uint64_t waste_of(const struct heap *heap, uint64_t unit_size,
			 uint64_t size)
{
	uint64_t least = (size + unit_size - 1) & -unit_size;

	for (unsigned i = 1; i < heap->nr_classes; i++)
		if (heap->classes[i].size >= size &&
		    heap->classes[i].size < least)
			least = heap->classes[i].size;
	return least > size ? least - size : 0;
}

static void waste_add(struct profile *profile, uint64_t record, double waste)
{
	for (size_t i = 0; i < profile->nr_stacks; i++)
		if (profile->stacks[i].record == record) {
			profile->stacks[i].wasted += (uint64_t)waste;
			return;
		}
}

/* Of one followed block; false: it cannot be read. */
static bool live_read(struct reading *r, uint64_t i, uint64_t *size,
		      uint64_t *record)
{
	const struct lanemalloc_view *v = &r->root->view;
	uint64_t infos = r->tables->keys + 8 * r->tables->nr_keys;
	char info[256];

	if (!image_read(r->image, infos + i * v->live_stride, info,
			v->live_stride))
		return false;
	*size = walk_field(info, v->live_stride, 0, 8) &
		(UINT64_MAX >> (64 - v->live_size_bits));
	*record = walk_field(info, v->live_stride, v->live_record_at, 4);
	return true;
}

static bool keys_note(void *context, const void *entries, uint64_t first,
		      uint64_t nr)
{
	struct reading *r = context;
	const uint64_t *keys = entries;
	double interval = (double)r->profile->interval;
	uint64_t unit = r->root->view.unit_size, size, record;
	bool any = false;

	for (uint64_t i = 0; i < nr; i++) {
		double chance = 1;

		if (!keys[i] || !live_read(r, first + i, &size, &record))
			continue;
		any = true;
		if (interval > 1)
			chance = -expm1(-(double)size / interval);
		if (chance > 0)
			waste_add(r->profile, record,
				  (double)waste_of(r->heap, unit, size) /
					  chance);
	}
	return any;
}

static bool tables_read(struct image *image, const struct root *root,
			struct tables *t)
{
	return image_read(image, root->view.profile_tables, t, sizeof(*t)) &&
	       t->sites && t->index && t->records && t->keys;
}

bool profile_read(struct image *image, const struct root *root,
		  struct profile *profile)
{
	const struct lanemalloc_view *v = &root->view;
	struct tables t;
	struct heap heap;
	struct reading r = { image, root, &t, profile, &heap, false };

	*profile = (struct profile){ .pid = image->pid };
	if (!tables_read(image, root, &t))
		return image_fails(image, "no profile was ever on there");
	if (!heap_read(image, root, &heap, NULL, NULL))
		return false;
	profile->interval = root_word(
		image, v->option_values + 8 * v->option_profile_interval);
	profile->nr_samples = root_word(image, v->profile_samples);
	profile->nr_dropped = root_word(image, v->profile_dropped);
	r.failed = !mappings_note(image, profile) ||
		   !levels_read(image, t.index, t.nr_index, 4, index_note,
				&r) ||
		   !levels_read(image, t.keys, t.nr_keys, 8, keys_note, &r) ||
		   r.failed;
	heap_free(&heap);
	profile->has_wasted = true;
	return r.failed ? image_fails(image, "no memory") : true;
}

bool profile_open(const char *name, struct profile *profile)
{
	struct image image;
	struct root root;
	bool done;

	if (profile_file_is(name))
		return profile_file_read(name, profile);
	if (!command_open(&image, &root, name))
		return false;
	done = profile_read(&image, &root, profile);
	if (!done)
		command_fails("%s", image.error);
	image_close(&image);
	return done;
}
