/* layer 5.13: stats file: the statistics in a file; contract in stats_file.h */
#include "front/stats_file.h"

#include <errno.h>

#include "base/bits.h"
#include "base/text.h"
#include "front/forms.h"
#include "system/files.h"
#include "system/part_file.h"
#include "system/place.h"
#include "system/system.h"

#define GROWTH ((size_t)64 << 10) /* bytes that it may become longer by */

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

static int text_write(int fd, const void *path)
{
	form *form = form_of(path);
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

int stats_file_write(const char *pattern, char path[STATS_PATH_SIZE])
{
	if (!path_make(pattern, path))
		return -ENAMETOOLONG;
	return part_file_write(path, text_write, path);
}
