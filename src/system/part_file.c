/* layer 1.4: part file: a file that is whole or not there; see part_file.h */
#include "system/part_file.h"

#include <errno.h>

#include "base/atomic.h"
#include "system/files.h"
#include "system/report.h"
#include "system/system.h"

#define TRIES 16

static _Atomic(uint32_t) sequence; /* atomic: own, each value is used once */

/* One that a process of the same id left behind is in nobody's way. */
static int part_create(const char *path, char part[PART_PATH_SIZE])
{
	int i, n, fd = -EEXIST;

	for (i = 0; i < TRIES && fd == -EEXIST; i++) {
		n = report_format(part, PART_PATH_SIZE, "%s.%d.%u.part", path,
				  system_getpid(),
				  add_relaxed(&sequence, 1)); // own
		fd = n < PART_PATH_SIZE ? system_create(part) : -ENAMETOOLONG;
	}
	return fd;
}

static int fill(int fd, int (*write)(int fd, const void *how), const void *how)
{
	int error = fd;

	if (fd >= 0) {
		error = write(fd, how);
		system_close(fd);
	}
	return error;
}

int part_file_write(const char *path, int (*write)(int fd, const void *how),
		    const void *how)
{
	char part[PART_PATH_SIZE];
	int fd, error;

	if (system_open_stream(path, &fd))
		return fill(fd, write, how);
	fd = part_create(path, part);
	if (fd < 0)
		return fd;
	error = fill(fd, write, how);
	if (!error)
		error = system_rename(part, path);
	if (error)
		system_unlink(part);
	return error;
}
