/* layer 1.2: files: files.h by raw system calls
 *
 * No state. A thread that dies here leaves a descriptor open, or a file that is
 * not whole.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "system/files.h"
#include "system/syscall.h"

int system_open(const char *path)
{
	return (int)call_4(SYS_openat, AT_FDCWD, path,
			   O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
}

int system_create(const char *path)
{
	return (int)call_4(SYS_openat, AT_FDCWD, path,
			   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			   0600);
}

/* Not blocking: pipes without a reader, and files that another process has a
 * lease on, are waited for otherwise. */
int system_append(const char *path)
{
	return (int)call_4(SYS_openat, AT_FDCWD, path,
			   O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK |
				   O_NOCTTY | O_NOFOLLOW | O_CLOEXEC,
			   0600);
}

/* A file can be made in a directory that may be written to. */
static int directory_try(const char *path)
{
	size_t n = __builtin_strlen(path);
	char directory[512];

	if (n >= sizeof(directory) - 1)
		return -ENAMETOOLONG;
	__builtin_memcpy(directory, path, n);
	while (n && directory[n - 1] != '/')
		n--;
	directory[n] = '.';
	directory[n + 1] = '\0';
	return (int)call_3(SYS_faccessat, AT_FDCWD, directory, W_OK | X_OK);
}

/* What is no file is not opened: who reads a pipe would see it end. Nobody
 * opens a socket. A file is opened as it will be, as what may be made anew and
 * what is there have rules of their own (fs.protected_regular). */
int system_try_append(const char *path)
{
	struct stat at;
	int result = (int)call_4(SYS_newfstatat, AT_FDCWD, path, &at,
				 AT_SYMLINK_NOFOLLOW);

	if (result == -ENOENT)
		return directory_try(path);
	if (result)
		return result;
	if (S_ISSOCK(at.st_mode))
		return -ENXIO;
	if (!S_ISREG(at.st_mode) && !S_ISDIR(at.st_mode) &&
	    !S_ISLNK(at.st_mode))
		return (int)call_3(SYS_faccessat, AT_FDCWD, path, W_OK);
	result = system_append(path);
	if (result < 0)
		return result;
	system_close(result);
	return 0;
}

/* No other links are followed, as somebody else may have made them. */
static bool is_standard(const char *path)
{
	char text[32];

	return system_read_link(path, text, sizeof(text)) > 0 &&
	       (text_is(text, "/proc/self/fd/1") ||
		text_is(text, "/proc/self/fd/2"));
}

bool system_open_stream(const char *path, int *fd)
{
	int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct stat at;

	if (call_4(SYS_newfstatat, AT_FDCWD, path, &at, AT_SYMLINK_NOFOLLOW) ||
	    S_ISREG(at.st_mode) || S_ISDIR(at.st_mode))
		return false;
	if (S_ISLNK(at.st_mode) && !is_standard(path))
		return false;
	if (!S_ISLNK(at.st_mode))
		flags |= O_NOFOLLOW;
	*fd = -EINVAL;
	if (!S_ISBLK(at.st_mode))
		*fd = (int)call_4(SYS_openat, AT_FDCWD, path, flags, 0);
	return true;
}

void system_close(int fd)
{
	call_1(SYS_close, fd);
}

long system_read(int fd, char *buf, size_t size)
{
	long n;

	do {
		n = call_3(SYS_read, fd, buf, size);
	} while (n == -EINTR);
	return n;
}

int system_write(int fd, const char *buf, size_t size)
{
	long n;

	while (size) {
		n = call_3(SYS_write, fd, buf, size);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n ? (int)n : -EIO;
		buf += n;
		size -= (size_t)n;
	}
	return 0;
}

long system_read_link(const char *path, char *buf, size_t size)
{
	long n = call_4(SYS_readlinkat, AT_FDCWD, path, buf, size - 1);

	buf[n > 0 ? n : 0] = '\0';
	return n;
}

int system_rename(const char *from, const char *to)
{
	return (int)call_4(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to);
}

void system_unlink(const char *path)
{
	call_3(SYS_unlinkat, AT_FDCWD, path, 0);
}

uint64_t system_wall_ns(void)
{
	struct timespec now = { 0, 0 };

	call_2(SYS_clock_gettime, CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
