/* layer 7.4: profile name: functions of frames; contract in profile.h */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/profile.h"
#include "command/symbol.h"

/* Files that were looked into; most frames are of few. */
struct named_file {
	char *path;
	struct elf_file file;
	bool is_open;
};
static struct named_file *files;
static size_t nr_files;

static struct named_file *file_of(pid_t pid, const char *path)
{
	char full[4096 + 64];
	struct named_file *more;

	for (size_t i = 0; i < nr_files; i++)
		if (!strcmp(files[i].path, path))
			return &files[i];
	more = realloc(files, (nr_files + 1) * sizeof(*files));
	if (!more)
		return NULL;
	files = more;
	more += nr_files;
	*more = (struct named_file){ .path = strdup(path) };
	if (!more->path)
		return NULL;
	nr_files++;
	snprintf(full, sizeof(full), "/proc/%d/root%s", pid, path);
	more->is_open = path[0] == '/' &&
			((pid && elf_open(&more->file, full)) ||
			 elf_open(&more->file, path));
	return more;
}

void profile_names_end(void)
{
	for (size_t i = 0; i < nr_files; i++) {
		if (files[i].is_open)
			elf_close(&files[i].file);
		free(files[i].path);
	}
	free(files);
	files = NULL;
	nr_files = 0;
}

void profile_name(const struct profile *profile, const struct frame *frame,
		  char *text, size_t size)
{
	const struct mapping *m;
	const char *name = NULL, *base;
	struct named_file *file;
	uint64_t at, address, offset;

	if (!frame->mapping || frame->mapping > profile->nr_mappings) {
		snprintf(text, size, "%#lx", frame->address);
		return;
	}
	m = &profile->mappings[frame->mapping - 1];
	at = frame->address - m->begin + m->offset;
	base = strrchr(m->path, '/');
	base = base ? base + 1 : m->path;
	file = file_of(profile->pid, m->path);
	address = at;
	if (file && file->is_open && elf_address(&file->file, at, &address))
		name = elf_function(&file->file, address, &offset);
	if (name)
		snprintf(text, size, "%s+%#lx (%s+%#lx)", name, offset, base,
			 address);
	else
		snprintf(text, size, "%s+%#lx", base, address);
}
