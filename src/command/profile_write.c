/* layer 7.4: profile write: profile.proto in gzip's stored blocks; contract in
 * profile_file.h
 *
 * The whole message is made in memory, then cut into blocks.
 */
#include "command/profile_file.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOCK_MOST 65535u

struct bytes {
	unsigned char *data;
	size_t size, most;
	bool failed;
};

static void put(struct bytes *b, const void *data, size_t size)
{
	size_t most = b->most ? b->most : 4096;
	unsigned char *more;

	while (most - b->size < size)
		most *= 2;
	if (most != b->most) {
		more = realloc(b->data, most);
		b->failed |= !more;
		if (!more)
			return;
		b->data = more;
		b->most = most;
	}
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

static void put_varint(struct bytes *b, uint64_t value)
{
	unsigned char text[10];
	size_t n = 0;

	do {
		text[n] = (unsigned char)(value & 127);
		value >>= 7;
		text[n++] |= value ? 128 : 0;
	} while (value);
	put(b, text, n);
}

static void put_number(struct bytes *b, unsigned field, uint64_t value)
{
	put_varint(b, field << 3);
	put_varint(b, value);
}

static void put_bytes(struct bytes *b, unsigned field, const void *data,
		      size_t size)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, size);
	put(b, data, size);
}

static void put_message(struct bytes *b, unsigned field, struct bytes *m)
{
	put_bytes(b, field, m->data, m->size);
	b->failed |= m->failed;
	m->size = 0;
}

static void put_string(struct bytes *b, const char *text)
{
	put_bytes(b, 6, text, strlen(text));
}

/* Strings: "", then name and unit of each value, "space", "pid", "process",
 * then those of mappings, then those of processes. */
#define STRING_SPACE (1 + 2 * NR_PROFILE_VALUES)
#define STRING_PID (STRING_SPACE + 1)
#define STRING_PROCESS (STRING_SPACE + 2)
#define STRING_REST (STRING_SPACE + 3)

static void put_types(struct bytes *b, struct bytes *m)
{
	put_string(b, "");
#define VALUE_STRINGS(name, unit) \
	put_string(b, #name);     \
	put_string(b, unit);
	PROFILE_VALUES(VALUE_STRINGS)
#undef VALUE_STRINGS
	put_string(b, "space");
	put_string(b, "pid");
	put_string(b, "process");
	for (unsigned i = 0; i < NR_PROFILE_VALUES; i++) {
		put_number(m, 1, 1 + 2 * i);
		put_number(m, 2, 2 + 2 * i);
		put_message(b, 1, m);
	}
	put_number(m, 1, STRING_SPACE);
	put_number(m, 2, 2 + 2 * PROFILE_alloc_space);
	put_message(b, 11, m);
	put_number(b, 14, 1 + 2 * PROFILE_inuse_space);
}

static void put_mappings(struct bytes *b, struct bytes *m,
			 const struct profile *profile)
{
	for (size_t i = 0; i < profile->nr_mappings; i++) {
		const struct mapping *map = &profile->mappings[i];

		put_string(b, map->path);
		put_string(b, map->build_id);
		put_number(m, 1, i + 1);
		put_number(m, 2, map->begin);
		put_number(m, 3, map->end);
		put_number(m, 4, map->offset);
		put_number(m, 5, STRING_REST + 2 * i);
		put_number(m, 6, STRING_REST + 2 * i + 1);
		put_message(b, 3, m);
	}
}

static void put_processes(struct bytes *b, const struct profile *profile)
{
	for (size_t i = 0; i < profile->nr_processes; i++)
		put_string(b, profile->processes[i].comm);
}

/* Several processes may have one address, each in a mapping of its own. */
static int compare_frames(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;

	if (x->address != y->address)
		return x->address > y->address ? 1 : -1;
	return (x->mapping > y->mapping) - (x->mapping < y->mapping);
}

/* All addresses, each once, sorted; the number of one is its place and 1. */
struct places {
	struct frame *frames;
	size_t nr;
};

static bool places_make(struct places *p, const struct profile *profile)
{
	size_t n = 0, k = 0;

	for (size_t i = 0; i < profile->nr_stacks; i++)
		n += profile->stacks[i].nr_frames;
	p->frames = calloc(n + 1, sizeof(*p->frames));
	if (!p->frames)
		return false;
	for (size_t i = 0; i < profile->nr_stacks; i++) {
		const struct stack *s = &profile->stacks[i];

		memcpy(p->frames + k, s->frames,
		       s->nr_frames * sizeof(*s->frames));
		k += s->nr_frames;
	}
	qsort(p->frames, n, sizeof(*p->frames), compare_frames);
	p->nr = 0;
	for (size_t i = 0; i < n; i++)
		if (!i || compare_frames(&p->frames[i], &p->frames[i - 1]))
			p->frames[p->nr++] = p->frames[i];
	return true;
}

static uint64_t place_of(const struct places *p, const struct frame *frame)
{
	const struct frame *found = bsearch(frame, p->frames, p->nr,
					    sizeof(*frame), compare_frames);

	return found ? (uint64_t)(found - p->frames) + 1 : 0;
}

/* Of several processes: of which the stack is. */
static void put_labels(struct bytes *m, const struct profile *profile,
		       const struct stack *s)
{
	struct bytes label = { 0 };
	size_t string = STRING_REST + 2 * profile->nr_mappings + s->process - 1;

	if (!s->process)
		return;
	put_number(&label, 1, STRING_PID);
	put_number(&label, 3, (uint64_t)profile->processes[s->process - 1].pid);
	put_message(m, 3, &label);
	put_number(&label, 1, STRING_PROCESS);
	put_number(&label, 2, string);
	put_message(m, 3, &label);
	free(label.data);
}

static void put_samples(struct bytes *b, struct bytes *m,
			const struct profile *profile, const struct places *p)
{
	struct bytes list = { 0 };

	for (size_t i = 0; i < profile->nr_stacks; i++) {
		const struct stack *s = &profile->stacks[i];

		if (!s->values[PROFILE_alloc_objects])
			continue;
		for (size_t k = 0; k < s->nr_frames; k++)
			put_varint(&list, place_of(p, &s->frames[k]));
		put_message(m, 1, &list);
		for (int k = 0; k < NR_PROFILE_VALUES; k++)
			put_varint(&list, (uint64_t)s->values[k]);
		put_message(m, 2, &list);
		put_labels(m, profile, s);
		put_message(b, 2, m);
	}
	free(list.data);
}

static void put_places(struct bytes *b, struct bytes *m, const struct places *p)
{
	for (size_t i = 0; i < p->nr; i++) {
		put_number(m, 1, i + 1);
		put_number(m, 2, p->frames[i].mapping);
		put_number(m, 3, p->frames[i].address);
		put_message(b, 4, m);
	}
}

static uint32_t crc_of(const unsigned char *data, size_t size)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < size; i++) {
		crc ^= data[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static void put_little(FILE *out, uint32_t value, int size)
{
	for (; size; size--, value >>= 8)
		fputc((int)(value & 255), out);
}

static void gzip(FILE *out, const struct bytes *b)
{
	static const unsigned char head[10] = { 0x1f, 0x8b, 8, 0, 0,
						0,    0,    0, 0, 255 };
	size_t at = 0, n;

	fwrite(head, 1, sizeof(head), out);
	do {
		n = b->size - at < BLOCK_MOST ? b->size - at : BLOCK_MOST;
		fputc(at + n == b->size, out);
		put_little(out, (uint32_t)n, 2);
		put_little(out, ~(uint32_t)n, 2);
		fwrite(b->data + at, 1, n, out);
		at += n;
	} while (at < b->size);
	put_little(out, crc_of(b->data, b->size), 4);
	put_little(out, (uint32_t)b->size, 4);
}

void profile_write(FILE *out, const struct profile *profile)
{
	struct bytes b = { 0 }, m = { 0 };
	struct places places;

	if (!places_make(&places, profile))
		return;
	put_types(&b, &m);
	put_mappings(&b, &m, profile);
	put_processes(&b, profile);
	put_samples(&b, &m, profile, &places);
	put_places(&b, &m, &places);
	put_number(&b, 9, (uint64_t)time(NULL) * 1000000000);
	put_number(&b, 12, profile->interval);
	if (!b.failed)
		gzip(out, &b);
	free(b.data);
	free(m.data);
	free(places.frames);
}
