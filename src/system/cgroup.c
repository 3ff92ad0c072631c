/* layer 1.4: cgroup: the files of cgroup v2; contract in cgroup.h */
#include "system/cgroup.h"

#include "base/bits.h"
#include "system/report.h"
#include "system/system.h"

#ifndef CGROUP_ROOT
#define CGROUP_ROOT "/sys/fs/cgroup"
#endif
#define CGROUP_OF_PROCESS "/proc/self/cgroup"
#define MOST_SHIFT 3 /* an eighth of "max" is for what is no heap */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static uint64_t read_digits(const char *text, size_t size)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < size && is_digit(text[i]); i++)
		n = n * 10 + (uint64_t)(text[i] - '0');
	return n;
}

/* A limit of 0 means that nothing is allowed, which no heap can serve. */
uint64_t cgroup_number(const char *text, size_t size)
{
	if (!size || !is_digit(text[0]))
		return 0;
	return max_size(read_digits(text, size), 1);
}

/* Whether a line of the file begins so; *at: where it goes on. */
static bool find_line(const char *text, size_t size, const char *word,
		      size_t *at)
{
	size_t length = __builtin_strlen(word), i;

	for (i = 0; i + length <= size; i++)
		if ((!i || text[i - 1] == '\n') &&
		    !__builtin_memcmp(text + i, word, length)) {
			*at = i + length;
			return true;
		}
	return false;
}

uint64_t cgroup_nr_events(const char *text, size_t size)
{
	static const char *const words[] = { "high ", "max ", "oom " };
	uint64_t n = 0;
	unsigned i;
	size_t at;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (find_line(text, size, words[i], &at))
			n += read_digits(text + at, size - at);
	return n;
}

/* Reads a limit; 0 also where there is no such file. */
static uint64_t read_limit(const char *folder, const char *name)
{
	char path[CGROUP_PATH_SIZE + 32], text[32];
	long n;

	report_format(path, sizeof(path), "%s/%s", folder, name);
	n = system_read_file(path, text, sizeof(text));
	return n > 0 ? cgroup_number(text, (size_t)n) : 0;
}

static uint64_t smaller_limit(uint64_t a, uint64_t b)
{
	return a && b ? min_size(a, b) : a | b;
}

uint64_t cgroup_soft_size(uint64_t high, uint64_t most)
{
	return smaller_limit(high, most - (most >> MOST_SHIFT));
}

/* Joins one folder's limits with those of the folders below it. */
static void join(struct cgroup *group, const char *folder)
{
	uint64_t high = read_limit(folder, "memory.high");
	uint64_t most = read_limit(folder, "memory.max");
	uint64_t before = cgroup_soft_size(group->high, group->most);

	group->high = smaller_limit(group->high, high);
	group->most = smaller_limit(group->most, most);
	if (cgroup_soft_size(group->high, group->most) != before)
		report_format(group->path, sizeof(group->path), "%s", folder);
}

bool cgroup_find_root(struct cgroup *out)
{
	*out = (struct cgroup){ 0 };
	out->most = read_limit(CGROUP_ROOT, "memory.max");
	if (!out->most)
		return false;
	out->high = read_limit(CGROUP_ROOT, "memory.high");
	report_format(out->path, sizeof(out->path), "%s", CGROUP_ROOT);
	return true;
}

/* Finds the folder of the process's group; its length, 0: none. */
static size_t own_folder(char *folder, size_t size)
{
	char text[CGROUP_PATH_SIZE * 4];
	long n = system_read_file(CGROUP_OF_PROCESS, text, sizeof(text));
	size_t at, end;
	int length;

	if (n <= 0 || !find_line(text, (size_t)n, "0::", &at))
		return 0;
	for (end = at; end < (size_t)n && text[end] != '\n'; end++)
		;
	length = report_format(folder, size, "%s%.*s", CGROUP_ROOT,
			       (int)(end - at), text + at);
	return (size_t)length < size ? (size_t)length : 0;
}

bool cgroup_find_own(struct cgroup *out)
{
	size_t root = sizeof(CGROUP_ROOT) - 1, length;
	char folder[CGROUP_PATH_SIZE];

	*out = (struct cgroup){ 0 };
	length = own_folder(folder, sizeof(folder));
	if (length && folder[length - 1] == '/')
		folder[--length] = '\0';
	if (!length)
		return false;
	report_format(out->path, sizeof(out->path), "%s", folder);
	for (;;) {
		join(out, folder);
		while (length > root && folder[length - 1] != '/')
			length--;
		if (length <= root)
			return true;
		folder[--length] = '\0';
	}
}
