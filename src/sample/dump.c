/* layer 4.10: dump: the profile as a file; contract in dump.h */
#include "sample/dump.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/text.h"
#include "sample/peak.h"
#include "sample/sampler.h"
#include "system/config.h"
#include "system/part_file.h"
#include "system/place.h"
#include "system/report.h"
#include "system/system.h"

#define NAME_SIZE 32

/* atomic: own, each value is used once */
static _Atomic(uint32_t) sequence;

static const char *form_suffix(bool text)
{
	return text ? "heap" : "pb.gz";
}

/* Reads the program's name as the kernel has it, fit for a file's. */
static void program_name(char name[NAME_SIZE])
{
	long i, n = system_read_file("/proc/self/comm", name, NAME_SIZE - 1);

	n = n > 0 ? n - (name[n - 1] == '\n') : 0;
	name[n] = '\0';
	for (i = 0; i < n; i++)
		if (name[i] == '/' || (unsigned char)name[i] < ' ')
			name[i] = '_';
	if (!n)
		report_format(name, NAME_SIZE, "heap");
}

/* how: whether it is the text. */
static int dump_form(int fd, const void *how)
{
	bool text = *(const bool *)how;
	uint64_t nr = pinned_nr();
	size_t size = sizeof(struct dump_scratch) + nr * sizeof(uint64_t);
	struct dump_scratch *scratch = place_map(size);
	struct writer writer;

	if (!scratch)
		return -ENOMEM;
	scratch->pinned = (struct pinned){ (uint64_t *)(scratch + 1), nr };
	writer_open(&writer, fd, !text);
	if (text)
		dump_text(&writer, scratch);
	else
		dump_pprof(&writer, scratch);
	system_unmap(scratch, round_up(size, system_page_size()));
	return writer_close(&writer);
}

static int dump_to(const char *path, bool text)
{
	return part_file_write(path, dump_form, &text);
}

/* NAME.PID.SEQUENCE.pb.gz in the option's directory. */
static int dump_named(char path[DUMP_PATH_SIZE], bool text)
{
	const char *dir = config_text(config.profile_dir);
	char name[NAME_SIZE];
	int n;

	program_name(name);
	n = report_format(path, DUMP_PATH_SIZE, "%s%s%s.%d.%u.%s", dir,
			  *dir ? "/" : "", name, system_getpid(),
			  add_relaxed(&sequence, 1), // own
			  form_suffix(text));
	return n < DUMP_PATH_SIZE ? dump_to(path, text) : -ENAMETOOLONG;
}

int dump_write_named(char path[DUMP_PATH_SIZE])
{
	path[0] = '\0';
	if (!sampler_has_tables())
		return -ENODATA;
	sampler_note_peak();
	return dump_named(path, config.profile_form == PROFILE_FORM_TEXT);
}

int dump_write(const char *path)
{
	char own[DUMP_PATH_SIZE];

	if (!path)
		return dump_write_named(own);
	if (!sampler_has_tables())
		return -ENODATA;
	sampler_note_peak();
	return dump_to(path, text_ends(path, ".heap"));
}
