/* layer 7.4: profile: the sampler's tables of a process or a core; contract in
 * profile.h */
#include "command/profile.h"

#include <stdlib.h>
#include <string.h>

#include "command/followed.h"
#include "command/levels.h"

#define STACK_MOST 256u

struct tables {
	uint64_t sites, nr_sites, index, nr_index;
	uint64_t records, nr_words, keys, nr_keys;
};

/* An array of n that grows by powers of two, with room for one more; NULL: no
 * memory. */
static void *room_for_one(void *array, size_t n, size_t size)
{
	if (n & (n - 1))
		return array;
	return realloc(array, (n ? 2 * n : 1) * size);
}

struct stack *profile_add_stack(struct profile *profile, size_t nr_frames)
{
	size_t n = profile->nr_stacks;
	struct stack *stacks = room_for_one(profile->stacks, n,
					    sizeof(*stacks));
	struct stack *stack;

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
	struct mapping *m = room_for_one(profile->mappings, n, sizeof(*m));

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
	free(profile->processes);
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

/* A record's count of that number, as it is in its head. */
static uint64_t count_of(const struct lanemalloc_view *v, const char *head,
			 uint64_t number)
{
	uint64_t at = v->record_counts_at + 8 * number, count = 0;

	if (number < 64 && at + 8 <= v->record_sites_at)
		memcpy(&count, head + at, sizeof(count));
	return count;
}

static int64_t objects_of(const struct lanemalloc_view *v, const char *head,
			  uint64_t number)
{
	return objects(v, count_of(v, head, number));
}

/* Each of the three holds the ones before it. */
static void ages_read(const struct lanemalloc_view *v, const char *head,
		      int64_t *values)
{
	uint64_t sum = count_of(v, head, v->count_freed_short);

	values[PROFILE_freed_within_10ms] = objects(v, sum);
	sum += count_of(v, head, v->count_freed_middle);
	values[PROFILE_freed_within_1s] = objects(v, sum);
	sum += count_of(v, head, v->count_freed_long);
	values[PROFILE_freed_within_1min] = objects(v, sum);
}

static void paths_read(const struct lanemalloc_view *v, const char *head,
		       int64_t *values)
{
	values[PROFILE_grown_objects] = objects_of(v, head,
						   v->count_grown_objects);
	values[PROFILE_grown_space] = (int64_t)count_of(v, head,
							v->count_grown_space);
	values[PROFILE_freed_on_other_cpu] = objects_of(v, head,
							v->count_freed_away);
	values[PROFILE_freed_by_other_thread] =
		objects_of(v, head, v->count_freed_by_other);
}

/* The counts as the file has them. */
static void values_read(const struct lanemalloc_view *v, const char *head,
			int64_t *values)
{
	uint64_t nr = count_of(v, head, v->count_alloc_objects);
	uint64_t space = count_of(v, head, v->count_alloc_space);
	uint64_t nr_freed = count_of(v, head, v->count_freed_objects);
	uint64_t freed = count_of(v, head, v->count_freed_space);

	values[PROFILE_alloc_objects] = objects(v, nr);
	values[PROFILE_alloc_space] = (int64_t)space;
	values[PROFILE_inuse_objects] = nr > nr_freed ?
						objects(v, nr - nr_freed) :
						0;
	values[PROFILE_inuse_space] = space > freed ? (int64_t)(space - freed) :
						      0;
	values[PROFILE_freed_objects] = objects(v, nr_freed);
	values[PROFILE_peak_objects] = objects_of(v, head,
						  v->count_peak_objects);
	values[PROFILE_peak_space] = (int64_t)count_of(v, head,
						       v->count_peak_space);
	values[PROFILE_lifetime] = (int64_t)count_of(v, head,
						     v->count_lifetime);
	ages_read(v, head, values);
	paths_read(v, head, values);
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

struct reading {
	struct image *image;
	const struct root *root;
	const struct tables *tables;
	struct profile *profile;
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

bool profile_read(struct image *image, const struct root *root,
		  struct profile *profile)
{
	const struct lanemalloc_view *v = &root->view;
	struct tables t;
	struct reading r = { image, root, &t, profile, false };

	*profile = (struct profile){ .pid = image->pid };
	if (!image_read(image, v->profile_tables, &t, sizeof(t)))
		return image_fails(image, "the profile cannot be read: %s",
				   image->pid ? "the process has ended" :
						"the core does not have it");
	if (!t.sites || !t.index || !t.records || !t.keys)
		return image_fails(image,
				   "no profile was ever on there: `lanemalloc "
				   "profile --keep PID' turns it on");
	profile->interval = root_word(
		image, v->option_values + 8 * v->option_profile_interval);
	profile->nr_samples = root_word(image, v->profile_samples);
	profile->nr_dropped = root_word(image, v->profile_dropped);
	if (!mappings_note(image, profile) ||
	    !levels_read(image, t.index, t.nr_index, 4, index_note, &r) ||
	    r.failed)
		return image_fails(image, "no memory");
	profile->has_wasted = true;
	return followed_read(image, root, t.keys, t.nr_keys, profile);
}

bool profile_join(struct profile *to, struct profile *from, const char *comm)
{
	size_t n = to->nr_mappings;
	struct process_name *name;

	for (size_t i = 0; i < from->nr_mappings; i++) {
		struct mapping *m = profile_add_mapping(to);

		if (!m)
			return false;
		*m = from->mappings[i];
		from->mappings[i] = (struct mapping){ 0 };
	}
	name = room_for_one(to->processes, to->nr_processes, sizeof(*name));
	if (!name)
		return false;
	to->processes = name;
	name += to->nr_processes++;
	name->pid = from->pid;
	snprintf(name->comm, sizeof(name->comm), "%s", comm);
	for (size_t i = 0; i < from->nr_stacks; i++) {
		struct stack *s = profile_add_stack(to, 0);

		if (!s)
			return false;
		free(s->frames);
		*s = from->stacks[i];
		from->stacks[i].frames = NULL;
		s->process = to->nr_processes;
		for (size_t k = 0; k < s->nr_frames; k++)
			if (s->frames[k].mapping)
				s->frames[k].mapping += (uint32_t)n;
	}
	to->interval = from->interval;
	to->nr_samples += from->nr_samples;
	to->nr_dropped += from->nr_dropped;
	return true;
}
