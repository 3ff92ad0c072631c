/* profile_file: reads what lanemalloc_profile_dump() writes, without malloc */
#ifndef PROFILE_FILE_H
#define PROFILE_FILE_H

#include "expect.h"

#include <fcntl.h>

#define PROFILE_VALUES 16
#define PROFILE_SIZE_MOST ((size_t)32 << 20)
#define PROFILE_IDS_MOST (1 << 20)

enum {
	ALLOC_OBJECTS, ALLOC_SPACE, INUSE_OBJECTS, INUSE_SPACE,
	PEAK_OBJECTS, PEAK_SPACE, FREED_OBJECTS, LIFETIME, PINNED_SPACE,
	FREED_10MS, FREED_1S, FREED_1MIN, GROWN_OBJECTS, GROWN_SPACE,
	FREED_AWAY, FREED_BY_OTHER
};

/* Sums over all samples. */
struct profile {
	uint64_t values[PROFILE_VALUES];
	uint64_t nr_samples, nr_locations, nr_mappings, period;
};

static unsigned char profile_bytes[PROFILE_SIZE_MOST];
static unsigned char profile_ids[PROFILE_IDS_MOST]; /* 1 used, 2 there */

/* The file's bytes, and how many; it is gone then. */
static inline size_t profile_read(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t size = 0;
	ssize_t n;

	must(fd >= 0);
	while ((n = read(fd, profile_bytes + size,
			 sizeof(profile_bytes) - size)) > 0)
		size += (size_t)n;
	must(n == 0);
	close(fd);
	must(unlink(path) == 0);
	return size;
}

static inline uint32_t crc32_of(const unsigned char *at, size_t n)
{
	uint32_t crc = ~0u;

	while (n--) {
		crc ^= *at++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* Takes gzip's stored blocks apart, in place; the size of what they hold. */
static inline size_t profile_unpack(size_t size)
{
	unsigned char *from = profile_bytes + 10, *to = profile_bytes;
	bool last = false;
	uint32_t tail[2];
	size_t n;

	must(size > 23 && profile_bytes[0] == 0x1f && profile_bytes[1] == 0x8b);
	while (!last) {
		last = from[0];
		n = (size_t)(from[1] | from[2] << 8);
		must((from[3] | from[4] << 8) == (int)(~n & 0xffff));
		memmove(to, from + 5, n);
		to += n;
		from += 5 + n;
	}
	memcpy(tail, from, sizeof(tail));
	must(from + 8 == profile_bytes + size);
	n = (size_t)(to - profile_bytes);
	must(tail[0] == crc32_of(profile_bytes, n) && tail[1] == (uint32_t)n);
	return n;
}

static inline uint64_t varint(const unsigned char **at)
{
	uint64_t value = 0;
	unsigned shift = 0;

	do {
		must(shift < 64);
		value |= (uint64_t)(**at & 0x7f) << shift;
		shift += 7;
	} while (*(*at)++ & 0x80);
	return value;
}

static inline void sample_read(struct profile *p, const unsigned char *at)
{
	const unsigned char *end;

	must(*at++ == (1 << 3 | 2));
	end = at + 1 + (at[0] & 0x80 ? 1 : 0);
	end += varint(&at);
	while (at < end) {
		uint64_t id = varint(&at);

		must(id && id < PROFILE_IDS_MOST);
		profile_ids[id] |= 1;
	}
	must(*at++ == (2 << 3 | 2));
	varint(&at);
	for (int i = 0; i < PROFILE_VALUES; i++)
		p->values[i] += varint(&at);
	p->nr_samples++;
}

static inline void location_read(struct profile *p, const unsigned char *at)
{
	uint64_t id;

	must(*at++ == 1 << 3);
	id = varint(&at);
	must(id && id < PROFILE_IDS_MOST && !(profile_ids[id] & 2));
	profile_ids[id] |= 2;
	p->nr_locations++;
}

/* Every location that a sample has is there, and once. */
static inline void profile_parse(struct profile *p, const char *path)
{
	const unsigned char *at = profile_bytes, *end;

	memset(p, 0, sizeof(*p));
	memset(profile_ids, 0, sizeof(profile_ids));
	end = at + profile_unpack(profile_read(path));
	while (at < end) {
		uint64_t key = varint(&at), n = varint(&at);

		if (key >> 3 == 12)
			p->period = n;
		if ((key & 7) == 0)
			continue;
		must((key & 7) == 2 && n <= (uint64_t)(end - at));
		if (key >> 3 == 2)
			sample_read(p, at);
		if (key >> 3 == 4)
			location_read(p, at);
		p->nr_mappings += key >> 3 == 3;
		at += n;
	}
	must(at == end);
	for (size_t i = 0; i < PROFILE_IDS_MOST; i++)
		must(profile_ids[i] != 1);
}

/* Where the files go: the tests make it, their roles find it in the
 * environment. */
static char dir[64];

static inline int dir_make(void **state)
{
	char conf[96];

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/%s.XXXXXX",
		 program_invocation_short_name);
	if (!mkdtemp(dir) || setenv("PROFILE_DIR", dir, 1))
		return -1;
	snprintf(conf, sizeof(conf), "profile_dir=%s", dir);
	child_set_conf(conf);
	return 0;
}

static inline int dir_remove(void **state)
{
	(void)state;
	return rmdir(dir);
}

__attribute__((constructor)) static void dir_find(void)
{
	const char *path = getenv("PROFILE_DIR");

	snprintf(dir, sizeof(dir), "%s", path ? path : "");
}

/* Every block is sampled. */
#define EXACT "profile_interval=1,profile_memory=32m"

static inline struct profile profile_now(void)
{
	struct profile p;
	char path[128];

	snprintf(path, sizeof(path), "%s/now.%d.pb.gz", dir, getpid());
	errno = 4711;
	must(!LANE(lanemalloc_profile_dump)(path));
	must(errno == 4711);
	profile_parse(&p, path);
	return p;
}

/* Six standard errors; blocks far below and above the interval. */
static inline void assert_estimate(uint64_t got, double want, double nr_samples)
{
	double error = ((double)got - want) / want;

	if (error * error * nr_samples > 36) {
		fprintf(stderr, "%.0f, not %.0f\n", (double)got, want);
		must(!"a good estimate");
	}
}

#endif
