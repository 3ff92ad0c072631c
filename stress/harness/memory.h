/* memory: how much of it the process has, in bytes, as the kernel tells, and
 * without allocating. 0 where it does not tell. */
#ifndef HARNESS_MEMORY_H
#define HARNESS_MEMORY_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct memory_size {
	size_t mapped, resident;
};

static inline void memory_file(const char *path, char text[1024])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, 1023);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

static inline struct memory_size memory_now(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct memory_size size;
	char text[1024], *at = text;

	memory_file("/proc/self/statm", text);
	size.mapped = strtoul(at, &at, 10) * page;
	size.resident = strtoul(at, &at, 10) * page;
	return size;
}

/* Exact, unlike memory_now(), which some kernels sum up lazily; the page of
 * zeros is none. */
static inline size_t memory_resident_exact(void)
{
	char text[1024], *at;

	memory_file("/proc/self/smaps_rollup", text);
	at = strstr(text, "\nRss:");
	return at ? strtoul(at + 5, NULL, 10) << 10 : 0;
}

#endif
