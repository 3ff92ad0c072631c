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

/* The function that a frame of a mapping is in, NULL where none is known; where
 * in the file the frame is, and how far from the function's beginning. */
static const char *function_of(const struct profile *profile,
			       const struct frame *frame, uint64_t *address,
			       uint64_t *offset)
{
	const struct mapping *m = &profile->mappings[frame->mapping - 1];
	struct named_file *file = file_of(profile->pid, m->path);
	uint64_t at = frame->address - m->begin + m->offset;

	*address = at;
	if (!file || !file->is_open || !elf_address(&file->file, at, address))
		return NULL;
	return elf_function(&file->file, *address, offset);
}

static bool has_mapping(const struct profile *profile,
			const struct frame *frame)
{
	return frame->mapping && frame->mapping <= profile->nr_mappings;
}

const char *profile_function(const struct profile *profile,
			     const struct frame *frame)
{
	uint64_t address, offset;

	if (!has_mapping(profile, frame))
		return NULL;
	return function_of(profile, frame, &address, &offset);
}

void profile_name(const struct profile *profile, const struct frame *frame,
		  char *text, size_t size)
{
	const char *name, *path, *base;
	uint64_t address, offset;

	if (!has_mapping(profile, frame)) {
		snprintf(text, size, "%#lx", frame->address);
		return;
	}
	path = profile->mappings[frame->mapping - 1].path;
	base = strrchr(path, '/');
	base = base ? base + 1 : path;
	name = function_of(profile, frame, &address, &offset);
	if (name)
		snprintf(text, size, "%s+%#lx (%s+%#lx)", name, offset, base,
			 address);
	else
		snprintf(text, size, "%s+%#lx", base, address);
}
