/* layer 1.4: cgroup: how much memory the process's control group may have
 *
 * cgroup v2 alone, where it is mounted as everywhere: "max" and no file say no
 * limit. Files are opened, read and closed, so this belongs where no thread of
 * the program can count on a descriptor's number: at start. No state.
 */
#ifndef LANE_CGROUP_H
#define LANE_CGROUP_H

#include "base/compiler.h"

#define CGROUP_PATH_SIZE 256

struct cgroup {
	uint64_t high, most; /* bytes; 0: no limit */
	/* The folder that the lower of both is of, else the process's own. */
	char path[CGROUP_PATH_SIZE];
};

/* Finds the limits of the group that is the root of what the process sees, as
 * in a container: one file is looked for where there is none. False: that has
 * no limits. */
bool cgroup_find_root(struct cgroup *out);

/* Finds the lowest limits of the process's group and those that it is in, as
 * far as the process sees them. False: there is no such group. */
bool cgroup_find_own(struct cgroup *out);

/* Says what is sensible to hold of it: "high" is where the kernel slows the
 * group down, and from 7/8 of "max" on there is little room for what is no
 * heap. 0: no limit. */
uint64_t cgroup_soft_size(uint64_t high, uint64_t most);

/* Reads the number in memory.high or memory.max; 0: none. */
uint64_t cgroup_number(const char *text, size_t size);

/* Reads how often memory.events says that the group was at a limit. */
uint64_t cgroup_nr_events(const char *text, size_t size);

#endif
