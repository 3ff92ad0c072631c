/* layer 1.4: watch: watch.h by raw system calls */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "system/files.h"
#include "system/watch.h"
#include "system/syscall.h"

/* Where the numbers begin that programs do not count on: behind what select()
 * takes as a rule, where the limit allows; else behind the first ones. */
#define NUMBER_LEAST 960
#define NUMBER_LEAST_OTHERWISE 100
#define DISCARD_SIZE 512
#define DISCARD_ROUNDS 32

static int open_path(const char *path, int flags)
{
	return (int)call_4(SYS_openat, AT_FDCWD, path,
			   flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
}

static int open_socket(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	size_t length = __builtin_strlen(path);
	int fd, result;

	if (length >= sizeof(name.sun_path))
		return -ENAMETOOLONG;
	__builtin_memcpy(name.sun_path, path, length + 1);
	fd = (int)call_3(SYS_socket, AF_UNIX,
			 SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	result = (int)call_3(SYS_connect, fd, &name, sizeof(name));
	if (!result)
		return fd;
	system_close(fd);
	return result;
}

static int stat_of(int fd, struct stat *out)
{
	return (int)call_4(SYS_newfstatat, fd, "", out, AT_EMPTY_PATH);
}

/* Opens whatever kind of file this is: a descriptor, or a negated errno. */
static int open_kind(const char *path, enum watch_kind *kind)
{
	struct stat file;
	int result = (int)call_4(SYS_newfstatat, AT_FDCWD, path, &file, 0);

	if (result)
		return result;
	*kind = S_ISREG(file.st_mode) ? WATCH_PRESSURE : WATCH_STREAM;
	if (S_ISSOCK(file.st_mode))
		return open_socket(path);
	if (!S_ISREG(file.st_mode) && !S_ISFIFO(file.st_mode))
		return -EINVAL;
	return open_path(path, O_RDWR);
}

/* Moves a descriptor to a number that nobody counts on; the old one where there
 * is none. */
static int move_away(int fd)
{
	int moved = (int)call_3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, NUMBER_LEAST);

	if (moved < 0)
		moved = (int)call_3(SYS_fcntl, fd, F_DUPFD_CLOEXEC,
				    NUMBER_LEAST_OTHERWISE);
	if (moved < 0)
		return fd;
	system_close(fd);
	return moved;
}

static int watch_begin(struct watch *watch, int fd, enum watch_kind kind)
{
	struct stat file;
	int result = stat_of(fd, &file);

	if (result) {
		system_close(fd);
		return result;
	}
	watch->kind = kind;
	watch->device = file.st_dev;
	watch->inode = file.st_ino;
	store_relaxed(&watch->number, (uint32_t)fd + 1); // before publish
	return 0;
}

/* Writes one text, of which a part is none. A socket whose other end is gone
 * may send no signal. */
static int write_once(int fd, const char *text, size_t size)
{
	long n = call_5(SYS_sendto, fd, text, size, MSG_NOSIGNAL, NULL);

	if (n == -ENOTSOCK)
		n = call_3(SYS_write, fd, text, size);
	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -EIO;
}

int watch_open(struct watch *watch, const char *path, const char *text,
	       size_t size)
{
	enum watch_kind kind = WATCH_STREAM;
	int fd = open_kind(path, &kind), result;

	if (fd < 0)
		return fd;
	result = size ? write_once(fd, text, size) : 0;
	if (result) {
		system_close(fd);
		return result;
	}
	return watch_begin(watch, move_away(fd), kind);
}

int watch_open_file(struct watch *watch, const char *path)
{
	int fd = open_path(path, O_RDONLY);

	if (fd < 0)
		return fd;
	return watch_begin(watch, move_away(fd), WATCH_FILE);
}

/* Returns the descriptor where it still is what it was; else -1, and it is
 * lost. */
static int watch_fd(struct watch *watch)
{
	uint32_t number = load_relaxed(&watch->number); // hint
	struct stat file;

	if (!number)
		return -1;
	if (!stat_of((int)number - 1, &file) && file.st_dev == watch->device &&
	    file.st_ino == watch->inode)
		return (int)number - 1;
	cas_relaxed(&watch->number, &number, 0); // hint
	return -1;
}

void watch_close(struct watch *watch)
{
	int fd = watch_fd(watch);

	// own: the winner alone closes it
	if (fd >= 0 && take_relaxed(&watch->number, 0))
		system_close(fd);
}

/* Reads what waits in a stream; false: it is at its end. Bounded, as others may
 * write meanwhile. */
static bool discard(int fd)
{
	char bytes[DISCARD_SIZE];
	unsigned i;
	long n;

	for (i = 0; i < DISCARD_ROUNDS; i++) {
		n = call_3(SYS_read, fd, bytes, sizeof(bytes));
		if (n <= 0)
			return n == -EAGAIN || n == -EINTR;
	}
	return true;
}

bool watch_poll(struct watch *watch)
{
	struct pollfd poll = { .fd = watch_fd(watch) };
	struct timespec none = { 0, 0 };
	bool ended;

	if (poll.fd < 0)
		return false;
	poll.events = watch->kind == WATCH_PRESSURE ? POLLPRI : POLLIN;
	if (call_5(SYS_ppoll, &poll, 1, &none, NULL, 0) <= 0)
		return false;
	ended = poll.revents & (POLLERR | POLLNVAL);
	if (watch->kind == WATCH_STREAM)
		ended |= !discard(poll.fd);
	if (ended)
		watch_close(watch);
	return poll.revents & poll.events;
}

long watch_read(struct watch *watch, char *text, size_t size)
{
	int fd = watch_fd(watch);

	if (fd < 0)
		return -EBADF;
	return call_4(SYS_pread64, fd, text, size, 0);
}
