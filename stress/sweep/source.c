/* source: where in the source an instruction comes from, by addr2line: its
 * function, those that are inlined there, and the text of the lines
 */
#include "reason.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NR_FILES_MOST 256
#define LINE_SIZE 4200

static struct file {
	char *path, *text;
} files[NR_FILES_MOST];

static char *file_read(const char *path)
{
	FILE *from = fopen(path, "re");
	char *all = calloc(1, 1 << 20);

	if (from) {
		all[fread(all, 1, (1 << 20) - 1, from)] = 0;
		fclose(from);
	}
	return all;
}

/* Of a file that is not there, nothing. */
static const char *file_text(const char *path)
{
	struct file *f = files;

	while (f < files + NR_FILES_MOST - 1 && f->path &&
	       strcmp(f->path, path))
		f++;
	if (!f->path) {
		f->path = strdup(path);
		f->text = file_read(path);
	}
	return f->text;
}

static void line_copy(const char *path, unsigned line, char *out, size_t size)
{
	const char *at = file_text(path);

	for (; line > 1 && at; line--) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	at = at ? at + strspn(at, " \t") : "";
	snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
}

/* "path:12 (discriminator 3)" */
static void frame_add(struct source *s, const char *function, char *place)
{
	struct frame *f = &s->frames[s->nr];
	char *colon = strrchr(place, ':');

	if (s->nr == NR_FRAMES_MOST || !colon)
		return;
	*colon = 0;
	snprintf(f->function, sizeof(f->function), "%.*s",
		 (int)strcspn(function, "."), function);
	line_copy(place, (unsigned)atoi(colon + 1), f->line, sizeof(f->line));
	s->nr++;
}

static FILE *ask(const char *library, const uint32_t *offsets, uint32_t n)
{
	char name[] = "/tmp/sweep.XXXXXX", command[LINE_SIZE];
	int fd = mkstemp(name);
	FILE *answer;
	uint32_t i;

	if (fd < 0)
		die("no temporary file");
	for (i = 0; i < n; i++)
		dprintf(fd, "%#x\n", offsets[i]);
	close(fd);
	snprintf(command, sizeof(command),
		 "addr2line -aife '%s' <%s; rm -f %s", library, name, name);
	answer = popen(command, "r");
	if (!answer)
		die("cannot run addr2line");
	return answer;
}

void source_find(const char *library, const uint32_t *offsets, uint32_t n,
		 struct source *out)
{
	FILE *answer = ask(library, offsets, n);
	char function[LINE_SIZE], place[LINE_SIZE];
	struct source *s = out - 1;

	memset(out, 0, n * sizeof(*out));
	while (fgets(function, sizeof(function), answer)) {
		function[strcspn(function, "\n")] = 0;
		if (!strncmp(function, "0x", 2)) {
			if (++s == out + n)
				break;
			continue;
		}
		if (fgets(place, sizeof(place), answer) && s >= out)
			frame_add(s, function, place);
	}
	if (pclose(answer) || s != out + n - 1)
		die("addr2line does not answer");
}
