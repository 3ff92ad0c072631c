/* layer 7.4: profile file: reading profile.proto; contract in profile_file.h */
#include "command/profile_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"

/* Bytes of a message that are not yet read. */
struct part {
	const unsigned char *at, *end;
};

struct field {
	uint32_t number;
	uint64_t value;	  /* of a number */
	struct part part; /* of bytes */
};

struct location {
	uint64_t id;
	struct frame frame;
};

/* A file while it is read. */
struct reader {
	struct profile *profile;
	struct part *strings;
	size_t nr_strings;
	struct location *locations;
	size_t nr_locations;
	int types[64]; /* of the file's values: ours, or -1 */
	size_t nr_types;
	uint64_t *mapping_ids;
	uint64_t paths[2]; /* strings of the mapping at hand */
};

static bool varint(struct part *p, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 64 && p->at < p->end; shift += 7) {
		unsigned char c = *p->at++;

		*value |= (uint64_t)(c & 127) << shift;
		if (c < 128)
			return true;
	}
	return false;
}

/* False: there is no more, or no sense in it. */
static bool field_next(struct part *p, struct field *f)
{
	uint64_t key, size;

	*f = (struct field){ 0 };
	if (!varint(p, &key))
		return false;
	f->number = (uint32_t)(key >> 3);
	switch (key & 7) {
	case 0:
		return varint(p, &f->value);
	case 1:
		size = 8;
		break;
	case 2:
		if (!varint(p, &size))
			return false;
		break;
	case 5:
		size = 4;
		break;
	default:
		return false;
	}
	if (size > (size_t)(p->end - p->at))
		return false;
	f->part = (struct part){ p->at, p->at + size };
	p->at += size;
	return true;
}

/* Arrays that grow by powers of two. */
static void *grown(void *array, size_t n, size_t size)
{
	if (n & (n - 1))
		return array;
	return realloc(array, (n ? 2 * n : 1) * size);
}

static char *string_of(const struct reader *r, uint64_t i)
{
	struct part s = { 0 };

	if (i < r->nr_strings)
		s = r->strings[i];
	return strndup(s.at ? (const char *)s.at : "", (size_t)(s.end - s.at));
}

static bool strings_read(struct reader *r, struct part p)
{
	struct field f;

	while (field_next(&p, &f)) {
		struct part *strings;

		if (f.number != 6)
			continue;
		strings = grown(r->strings, r->nr_strings, sizeof(*strings));
		if (!strings)
			return false;
		r->strings = strings;
		strings[r->nr_strings++] = f.part;
	}
	return p.at == p.end;
}

static void type_read(struct reader *r, struct part p)
{
	static const char *const names[] = {
#define PROFILE_NAME(name, unit) #name,
		PROFILE_VALUES(PROFILE_NAME)
#undef PROFILE_NAME
	};
	struct field f;
	char *name;

	if (r->nr_types == 64)
		return;
	r->types[r->nr_types] = -1;
	while (field_next(&p, &f)) {
		if (f.number != 1)
			continue;
		name = string_of(r, f.value);
		for (int i = 0; name && i < NR_PROFILE_VALUES; i++)
			if (!strcmp(name, names[i]))
				r->types[r->nr_types] = i;
		r->profile->has_wasted |= r->types[r->nr_types] ==
					  PROFILE_wasted_space;
		free(name);
	}
	r->nr_types++;
}

static bool mapping_read(struct reader *r, struct part p)
{
	struct mapping *m = profile_add_mapping(r->profile);
	uint64_t *ids = grown(r->mapping_ids, r->profile->nr_mappings - 1,
			      sizeof(*ids));
	uint64_t id = 0, path = 0, build = 0;
	struct field f;

	if (ids)
		r->mapping_ids = ids;
	if (!m || !ids)
		return false;
	while (field_next(&p, &f)) {
		if (f.number == 1)
			id = f.value;
		else if (f.number == 2)
			m->begin = f.value;
		else if (f.number == 3)
			m->end = f.value;
		else if (f.number == 4)
			m->offset = f.value;
		else if (f.number == 5)
			path = f.value;
		else if (f.number == 6)
			build = f.value;
	}
	ids[r->profile->nr_mappings - 1] = id;
	m->path = string_of(r, path);
	m->build_id = string_of(r, build);
	return m->path && m->build_id;
}

static bool location_read(struct reader *r, struct part p)
{
	struct location *l = grown(r->locations, r->nr_locations, sizeof(*l));
	uint64_t mapping = 0;
	struct field f;

	if (!l)
		return false;
	r->locations = l;
	l += r->nr_locations++;
	*l = (struct location){ 0 };
	while (field_next(&p, &f)) {
		if (f.number == 1)
			l->id = f.value;
		else if (f.number == 2)
			mapping = f.value;
		else if (f.number == 3)
			l->frame.address = f.value;
	}
	for (size_t i = 0; i < r->profile->nr_mappings; i++)
		if (r->mapping_ids[i] == mapping)
			l->frame.mapping = (uint32_t)i + 1;
	return true;
}

static int compare_locations(const void *a, const void *b)
{
	const struct location *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static struct frame frame_of(const struct reader *r, uint64_t id)
{
	struct location key = { .id = id };
	const struct location *found = bsearch(&key, r->locations,
					       r->nr_locations, sizeof(key),
					       compare_locations);

	return found ? found->frame : (struct frame){ 0 };
}

/* Numbers of a repeated field, packed or each by itself. */
static size_t numbers(struct part p, uint32_t number, uint64_t *out,
		      size_t most)
{
	struct field f;
	size_t n = 0;

	while (field_next(&p, &f)) {
		if (f.number != number)
			continue;
		if (!f.part.at && n < most)
			out[n++] = f.value;
		while (f.part.at && n < most && varint(&f.part, &out[n]))
			n++;
	}
	return n;
}

static bool sample_read(struct reader *r, struct part p)
{
	uint64_t ids[512], values[64];
	size_t nr_ids = numbers(p, 1, ids, 512);
	size_t nr_values = numbers(p, 2, values, 64);
	struct stack *stack = profile_add_stack(r->profile, nr_ids);

	if (!stack)
		return false;
	for (size_t i = 0; i < nr_ids; i++)
		stack->frames[i] = frame_of(r, ids[i]);
	for (size_t i = 0; i < nr_values && i < r->nr_types; i++)
		if (r->types[i] >= 0)
			stack->values[r->types[i]] = (int64_t)values[i];
	return true;
}

/* What hangs on what comes first: types and mappings, locations, samples. */
static bool pass(struct reader *r, struct part p, int which)
{
	struct field f;
	bool good = true;

	while (good && field_next(&p, &f)) {
		if (which == 0 && f.number == 1)
			type_read(r, f.part);
		else if (which == 0 && f.number == 3)
			good = mapping_read(r, f.part);
		else if (which == 0 && f.number == 12)
			r->profile->interval = f.value;
		else if (which == 1 && f.number == 4)
			good = location_read(r, f.part);
		else if (which == 2 && f.number == 2)
			good = sample_read(r, f.part);
	}
	return good;
}

static bool message_read(struct profile *profile, struct part p)
{
	struct reader r = { .profile = profile };
	bool good = strings_read(&r, p) && pass(&r, p, 0) && pass(&r, p, 1);

	if (good && r.nr_locations)
		qsort(r.locations, r.nr_locations, sizeof(*r.locations),
		      compare_locations);
	good = good && pass(&r, p, 2) && r.nr_types;
	free(r.strings);
	free(r.locations);
	free(r.mapping_ids);
	return good;
}

/* Stored blocks, side by side, in place of the file's own bytes. */
static bool unzip(unsigned char *data, size_t size, struct part *out)
{
	size_t at = 10, to = 0, n;
	bool last = false;

	out->at = data;
	if (size < 18 || data[3])
		return false;
	while (!last) {
		if (size - at < 5 || data[at] > 1)
			return false;
		last = data[at];
		n = data[at + 1] | (size_t)data[at + 2] << 8;
		at += 5;
		if (n > size - at)
			return false;
		memmove(data + to, data + at, n);
		at += n;
		to += n;
	}
	out->end = data + to;
	return true;
}

static unsigned char *file_read(const char *path, size_t *size)
{
	FILE *file = fopen(path, "re");
	unsigned char *data = NULL, *more;
	size_t n = 0, most = 0;

	while (file) {
		if (n == most) {
			most = most ? 2 * most : 65536;
			more = realloc(data, most);
			if (!more)
				break;
			data = more;
		}
		*size = fread(data + n, 1, most - n, file);
		if (!*size)
			break;
		n += *size;
	}
	if (file)
		fclose(file);
	*size = n;
	return data;
}

bool profile_file_is(const char *path)
{
	unsigned char head[4] = { 0 };
	FILE *file = fopen(path, "re");
	size_t n = file ? fread(head, 1, sizeof(head), file) : 0;

	if (file)
		fclose(file);
	return n == sizeof(head) &&
	       ((head[0] == 0x1f && head[1] == 0x8b) || head[0] == 0x0a);
}

bool profile_file_read(const char *path, struct profile *profile)
{
	size_t size;
	unsigned char *data = file_read(path, &size);
	struct part p;
	bool done = false;

	*profile = (struct profile){ 0 };
	if (!data)
		return command_fails("%s: %s", path, strerror(errno)), false;
	p = (struct part){ data, data + size };
	if (size > 2 && data[0] == 0x1f && !unzip(data, size, &p))
		command_fails("%s: is compressed by another: gunzip it first",
			      path);
	else if (!message_read(profile, p))
		command_fails("%s: no profile", path);
	else
		done = true;
	free(data);
	return done;
}
