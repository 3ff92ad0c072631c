/* layer 7.4: profile: stacks and what they hold, of a process or of a file
 *
 * Of a process or a core the sampler's tables are read (sample/trace.h,
 * live.h), so nothing has to be written by the process; of a file what
 * profile.proto says, plain or in gzip's stored blocks as the library writes
 * it. Numbers have the meaning of the file's (docs/profiling.md). All that is
 * read is checked, tables are read up to their first empty level.
 */
#ifndef LANE_COMMAND_PROFILE_H
#define LANE_COMMAND_PROFILE_H

#include <stdio.h>

#include "command/heap.h"

/* X(name, unit), in the order of the file's; the last is known from outside
 * alone: bytes that blocks in use leave of their size class. */
#define PROFILE_VALUES(X)                 \
	X(alloc_objects, "count")         \
	X(alloc_space, "bytes")           \
	X(inuse_objects, "count")         \
	X(inuse_space, "bytes")           \
	X(peak_objects, "count")          \
	X(peak_space, "bytes")            \
	X(freed_objects, "count")         \
	X(lifetime, "milliseconds")       \
	X(pinned_space, "bytes")          \
	X(freed_within_10ms, "count")     \
	X(freed_within_1s, "count")       \
	X(freed_within_1min, "count")     \
	X(grown_objects, "count")         \
	X(grown_space, "bytes")           \
	X(freed_on_other_cpu, "count")    \
	X(freed_by_other_thread, "count") \
	X(wasted_space, "bytes")

enum profile_value {
#define PROFILE_NUMBER(name, unit) PROFILE_##name,
	PROFILE_VALUES(PROFILE_NUMBER)
#undef PROFILE_NUMBER
		NR_PROFILE_VALUES
};

struct frame {
	uint64_t address; /* within the call */
	uint32_t mapping; /* its number, from 1 on; 0: none */
};

struct stack {
	int64_t values[NR_PROFILE_VALUES];
	struct frame *frames; /* nearest function first */
	size_t nr_frames;
	uint64_t record; /* of a process: where its counts are */
	size_t process;	 /* of several: its number, from 1 on */
};

/* What tells stacks of several processes apart. */
struct process_name {
	pid_t pid;
	char comm[32];
};

struct mapping {
	uint64_t begin, end, offset;
	char *path, *build_id; /* "" where there is none */
};

struct profile {
	struct stack *stacks;
	size_t nr_stacks;
	struct mapping *mappings;
	size_t nr_mappings;
	struct process_name *processes; /* of several joined */
	size_t nr_processes;
	uint64_t interval, nr_samples, nr_dropped;
	pid_t pid;	 /* 0: of a core or a file */
	bool has_wasted; /* wasted_space is known */
};

/* False: image->error says why. */
bool profile_read(struct image *image, const struct root *root,
		  struct profile *profile);

/* Makes the stacks of another profile, which has none then, those of one more
 * process. False: no memory. */
bool profile_join(struct profile *to, struct profile *from, const char *comm);

/* A process id, a core or a file. False: it was said why. */
bool profile_open(const char *name, struct profile *profile);
void profile_free(struct profile *profile);

/* As profile.proto in gzip, with the functions that are known; their files stay
 * open until profile_names_end(). */
void profile_write(FILE *out, const struct profile *profile);

/* "function+0x12 (file+0x3412)", the last as addr2line takes it, or what is
 * known of it. Files stay open until profile_names_end(). */
void profile_name(const struct profile *profile, const struct frame *frame,
		  char *text, size_t size);
/* The function alone, as its file has it, until then; NULL: none is known. */
const char *profile_function(const struct profile *profile,
			     const struct frame *frame);
void profile_names_end(void);

/* For file.c: room for one more; NULL: no memory. */
struct stack *profile_add_stack(struct profile *profile, size_t nr_frames);
struct mapping *profile_add_mapping(struct profile *profile);

#endif
