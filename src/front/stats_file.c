/* layer 5.9: stats file: the statistics in a file; contract in stats_file.h */
#include "front/stats_file.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/text.h"
#include "front/forms.h"
#include "system/files.h"
#include "system/place.h"
#include "system/report.h"
#include "system/system.h"

#define GROWTH ((size_t)64 << 10) /* bytes that it may become longer by */
#define TRIES 16
#define PART_PATH_SIZE (STATS_PATH_SIZE + 32)

static _Atomic(uint32_t) sequence; /* atomic: own, each value is used once */

typedef size_t form(char *buf, size_t size);

static form *form_of(const char *path)
{
	if (text_ends(path, ".json"))
		return forms_detail_json;
	return text_ends(path, ".prom") ? forms_prometheus : forms_table;
}

/* False: it is too long. */
static bool path_make(const char *pattern, char path[STATS_PATH_SIZE])
{
	struct form t = { path, STATS_PATH_SIZE, 0 };

	for (; *pattern; pattern++) {
		if (pattern[0] == '%' && pattern[1] == 'p')
			form_add(&t, "%d", system_getpid());
		else
			form_add(&t, "%c", *pattern);
		pattern += *pattern == '%' &&
			   (pattern[1] == 'p' || pattern[1] == '%');
	}
	return t.length < STATS_PATH_SIZE;
}

static int text_write(int fd, form *form)
{
	size_t length = form(NULL, 0), size = length + GROWTH;
	char *buf = place_map(size);
	int error;

	if (!buf)
		return -ENOMEM;
	length = form(buf, size);
	error = length < size ? system_write(fd, buf, length) : -EAGAIN;
	system_unmap(buf, round_up(size, system_page_size()));
	return error;
}

/* One that a process of the same id left behind is in nobody's way. */
static int part_create(const char *path, char part[PART_PATH_SIZE])
{
	int i, fd = -EEXIST;

	for (i = 0; i < TRIES && fd == -EEXIST; i++) {
		report_format(part, PART_PATH_SIZE, "%s.%d.%u.part", path,
			      system_getpid(),
			      add_relaxed(&sequence, 1)); // own
		fd = system_create(part);
	}
	return fd;
}

int stats_file_write(const char *pattern, char path[STATS_PATH_SIZE])
{
	char part[PART_PATH_SIZE];
	int fd, error;

	if (!path_make(pattern, path))
		return -ENAMETOOLONG;
	fd = part_create(path, part);
	if (fd < 0)
		return fd;
	error = text_write(fd, form_of(path));
	system_close(fd);
	if (!error)
		error = system_rename(part, path);
	if (error)
		system_unlink(part);
	return error;
}
