/* layer 1.5: config file: options from a file, a line at a time; contract in
 * config_file.h */
#include "system/config_file.h"

#include "system/files.h"
#include "system/report.h"

struct lines {
	struct config *out;
	config_line *parse;
	struct config_source source;
	size_t nr;   /* bytes of buf */
	bool broken; /* the line began before buf */
	char buf[CONFIG_LINE_MOST + 2];
};

/* Whether a buffer holds it, whatever pieces the kernel gives. */
static bool line_fits(struct lines *l, size_t length)
{
	if (length <= CONFIG_LINE_MOST)
		return true;
	if (!l->broken)
		report_line("%s: a line is too long", l->source.name);
	return false;
}

static void line_end(struct lines *l, const char *at, size_t length)
{
	if (line_fits(l, length) && !l->broken)
		l->parse(l->out, at, length, &l->source);
	l->broken = false;
}

/* Parses the lines in the buffer; what is left is the beginning of one. */
static void lines_take(struct lines *l)
{
	size_t begin = 0, i;

	for (i = 0; i < l->nr; i++) {
		if (l->buf[i] != '\n')
			continue;
		line_end(l, l->buf + begin, i - begin);
		begin = i + 1;
	}
	l->nr -= begin;
	__builtin_memmove(l->buf, l->buf + begin, l->nr);
	if (line_fits(l, l->nr))
		return;
	l->broken = true;
	l->nr = 0;
}

/* Parses the rest: what a file that is whole ends in is a line; of one that was
 * not read to its end, after a result above or below 0, the rest may be half of
 * one. */
static void lines_end(struct lines *l, long result)
{
	if (result > 0)
		report_line("%s: what lies behind %u bytes is not read",
			    l->source.name, CONFIG_FILE_MOST);
	else if (!result)
		line_end(l, l->buf, l->nr);
}

int config_read(struct config *out, const char *path, config_line *parse)
{
	struct lines l = { .out = out,
			   .parse = parse,
			   .source = { .name = path, .is_file = true } };
	int fd = system_open(path);
	size_t size = 0;
	long n = 1;

	if (fd < 0)
		return fd;
	while (size <= CONFIG_FILE_MOST && n > 0) {
		n = system_read(fd, l.buf + l.nr, sizeof(l.buf) - l.nr);
		if (n > 0) {
			l.nr += (size_t)n;
			size += (size_t)n;
			lines_take(&l);
		}
	}
	system_close(fd);
	lines_end(&l, n);
	return n < 0 ? (int)n : 0;
}
