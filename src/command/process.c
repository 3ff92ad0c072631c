/* layer 7.1: process: a running process as an image; contract in process.h */
#include "command/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static FILE *file_of(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return fopen(path, "re");
}

static FILE *file_open(struct image *image, const char *name)
{
	return file_of(image->pid, name);
}

/* The 20th number behind the program's name, which may have any characters. */
uint64_t process_start(pid_t pid)
{
	FILE *file = file_of(pid, "stat");
	char line[1024] = "", *at;
	uint64_t start = 0;

	if (file && !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	at = strrchr(line, ')');
	for (int i = 0; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	if (at)
		start = strtoull(at, NULL, 10);
	return start;
}

long process_status(struct image *image, const char *name, int base)
{
	FILE *file = file_open(image, "status");
	size_t n = strlen(name);
	char line[256];
	long value = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, n) && line[n] == ':')
			value = strtol(line + n + 1, NULL, base);
	if (file)
		fclose(file);
	return value;
}

static int ptrace_scope(void)
{
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (file && fscanf(file, "%d", &scope) != 1)
		scope = 0;
	if (file)
		fclose(file);
	return scope;
}

/* Why a process that is there may not be read. */
static bool refused(struct image *image, int error)
{
	const char *advice = geteuid() ? "; run this as root" : "";
	long uid = process_status(image, "Uid", 10);

	if (uid < 0)
		return image_fails(image, "there is no process %d", image->pid);
	if (process_status(image, "VmSize", 10) < 0)
		return image_fails(image,
				   "process %d has no memory: it has ended and "
				   "its parent has not asked for its status, "
				   "or is the kernel's own",
				   image->pid);
	if (error != EPERM && error != EACCES)
		return image_fails(image, "cannot read process %d: %s",
				   image->pid, strerror(error));
	if ((uid_t)uid != geteuid() && geteuid())
		return image_fails(image,
				   "process %d is of user %ld: read it as "
				   "that user or as root",
				   image->pid, uid);
	if (ptrace_scope())
		return image_fails(image,
				   "process %d may not be read: "
				   "kernel.yama.ptrace_scope is %d%s",
				   image->pid, ptrace_scope(), advice);
	return image_fails(image,
			   "process %d may not be read: %s (it changed "
			   "its rights, or a container forbids it)%s",
			   image->pid, strerror(error), advice);
}

static void comm_read(struct image *image)
{
	FILE *file = file_open(image, "comm");

	if (file && fgets(image->comm, sizeof(image->comm), file))
		image->comm[strcspn(image->comm, "\n")] = '\0';
	if (file)
		fclose(file);
}

/* Whether memory can be read at all: of the first range. A container may refuse
 * the call and leave the file, which asks for the same rights. */
static int memory_try(struct image *image)
{
	char byte, path[64];
	struct iovec local = { &byte, 1 };
	struct iovec remote = { (void *)image->ranges[0].begin, 1 };
	int error;

	if (process_vm_readv(image->pid, &local, 1, &remote, 1, 0) == 1 ||
	    errno == EFAULT)
		return 0;
	error = errno;
	if (error != ENOSYS && error != EPERM)
		return error;
	snprintf(path, sizeof(path), "/proc/%d/mem", image->pid);
	image->mem = open(path, O_RDONLY | O_CLOEXEC);
	if (image->mem >= 0)
		return 0;
	return error == ENOSYS ? errno : error;
}

/* When it was started is read last: who is there then and was there before has
 * been there all the time, and all that was read is of that one. */
bool process_open(struct image *image)
{
	int error;

	if (!process_read_ranges(image))
		return false;
	comm_read(image);
	error = memory_try(image);
	if (error)
		return refused(image, error);
	image->start = process_start(image->pid);
	return image->start || image_fails(image, "the process has ended");
}

static bool range_add(struct image *image, const struct range *range)
{
	size_t n = image->nr_ranges;
	struct range *ranges = image->ranges;

	if (!(n & (n - 1)))
		ranges = realloc(ranges, (n ? 2 * n : 1) * sizeof(*ranges));
	if (!ranges)
		return image_fails(image, "no memory");
	image->ranges = ranges;
	ranges[image->nr_ranges++] = *range;
	return true;
}

static bool range_parse(const char *line, struct range *range, int *name)
{
	char rights[8];

	*name = 0;
	if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %n", &range->begin,
		   &range->end, rights, &range->offset, name) < 4)
		return false;
	range->code = rights[2] == 'x';
	range->private = rights[3] == 'p';
	return true;
}

bool process_read_ranges(struct image *image)
{
	FILE *file = file_open(image, "maps");
	char *line = NULL;
	size_t size = 0;
	int name;

	if (!file)
		return refused(image, errno);
	while (getline(&line, &size, file) > 0) {
		struct range range;

		line[strcspn(line, "\n")] = '\0';
		if (!range_parse(line, &range, &name))
			continue;
		range.path = strdup(name ? line + name : "");
		if (!range.path || !range_add(image, &range))
			break;
	}
	free(line);
	fclose(file);
	if (!image->nr_ranges)
		return refused(image, EPERM);
	return true;
}

/* What a range's resident bytes are added to. */
static uint64_t *counter_of(const struct range *range,
			    const struct places *places, struct resident *out)
{
	for (size_t i = 0; i < places->nr; i++)
		if (range->begin >= places->begins[i] &&
		    range->begin < places->ends[i])
			return i < places->nr_blocks ? &out->blocks :
						       &out->tables;
	return NULL;
}

bool process_resident(struct image *image, const struct places *places,
		      struct resident *out)
{
	FILE *file = image->pid ? file_open(image, "smaps") : NULL;
	uint64_t *counter = NULL, kib;
	char *line = NULL;
	struct range range;
	size_t size = 0;
	int name;

	*out = (struct resident){ 0 };
	if (!file)
		return false;
	while (getline(&line, &size, file) > 0) {
		if (range_parse(line, &range, &name)) {
			counter = counter_of(&range, places, out);
		} else if (sscanf(line, "Rss: %lu", &kib) == 1) {
			out->whole += kib << 10;
			if (counter)
				*counter += kib << 10;
		}
	}
	free(line);
	fclose(file);
	return out->whole > 0;
}
