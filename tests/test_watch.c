/* links: real-system */
/* system/watch.h: files, FIFOs and sockets by which others tell of pressure */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cases.h"
#include "system/watch.h"

#define TEXT "some 200000 2000000"

static char folder[] = "/tmp/test_watch_XXXXXX";
static char path[64];

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

FIXTURE(remove_it)
{
	unlink(path);
}

static int number_of(struct watch *watch)
{
	return (int)load_relaxed(&watch->number) - 1; // own
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

TEST(a_fifo, remove_it, remove_it)
{
	struct watch watch = { 0 };
	char bytes[600] = "";
	int fd, i;

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(watch_open(&watch, path, NULL, 0), 0);
	assert_true(number_of(&watch) >= 100);
	assert_int_equal(fcntl(number_of(&watch), F_GETFD), FD_CLOEXEC);
	assert_false(watch_poll(&watch));
	fd = open(path, O_WRONLY | O_NONBLOCK);
	for (i = 0; i < 5; i++)
		assert_int_equal(write(fd, bytes, sizeof(bytes)),
				 sizeof(bytes));
	assert_true(watch_poll(&watch));
	assert_false(watch_poll(&watch));
	/* Who tells may go and come back. */
	close(fd);
	assert_false(watch_poll(&watch));
	fd = open(path, O_WRONLY | O_NONBLOCK);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_true(watch_poll(&watch));
	close(fd);
	fd = number_of(&watch);
	watch_close(&watch);
	assert_false(is_open(fd));
	assert_false(watch_is_open(&watch));
	assert_false(watch_poll(&watch));
}

static int listener(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(name.sun_path, path);
	assert_int_equal(bind(fd, (void *)&name, sizeof(name)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

TEST(a_socket, remove_it, remove_it)
{
	struct watch watch = { 0 };
	char text[64] = "";
	int server, fd, ours;

	server = listener();
	assert_int_equal(watch_open(&watch, path, TEXT, sizeof(TEXT)), 0);
	ours = number_of(&watch);
	assert_int_equal(fcntl(ours, F_GETFD), FD_CLOEXEC);
	fd = accept(server, NULL, NULL);
	assert_int_equal(read(fd, text, sizeof(text)), sizeof(TEXT));
	assert_string_equal(text, TEXT);
	assert_false(watch_poll(&watch));
	assert_int_equal(write(fd, "xyz", 3), 3);
	assert_true(watch_poll(&watch));
	assert_false(watch_poll(&watch));
	/* A last word, and the end. */
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	assert_true(watch_poll(&watch));
	assert_false(watch_is_open(&watch));
	assert_false(is_open(ours));
	close(server);
	assert_int_equal(watch_open(&watch, path, TEXT, sizeof(TEXT)),
			 -ECONNREFUSED);
}

static void *hang_up(void *arg)
{
	int server = *(int *)arg, fd;

	while ((fd = accept(server, NULL, NULL)) >= 0)
		close(fd);
	return NULL;
}

/* Who is gone before the first word is an error, and no signal. */
TEST(a_socket_that_hangs_up, remove_it, remove_it)
{
	int server = listener(), i, result, nr_gone = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, hang_up, &server), 0);
	for (i = 0; i < 100000 && nr_gone < 10; i++) {
		struct watch watch = { 0 };

		result = watch_open(&watch, path, TEXT, sizeof(TEXT));
		assert_true(!result || result == -EPIPE || result == -EAGAIN);
		nr_gone += result == -EPIPE;
		watch_close(&watch);
	}
	shutdown(server, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(server);
}

/* A pressure file tells nothing as long as there is no pressure; and where the
 * kernel has none, a regular file tells nothing at all. */
TEST(a_pressure_file, remove_it, remove_it)
{
	struct watch watch = { 0 };
	char text[64] = "";
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	assert_int_equal(watch_open(&watch, path, TEXT, sizeof(TEXT)), 0);
	assert_int_equal(read(fd, text, sizeof(text)), sizeof(TEXT));
	assert_string_equal(text, TEXT);
	assert_false(watch_poll(&watch));
	watch_close(&watch);
	close(fd);
	if (access("/proc/pressure/memory", W_OK))
		skip();
	if (watch_open(&watch, "/proc/pressure/memory", TEXT, sizeof(TEXT)))
		skip();
	watch_poll(&watch);
	assert_true(watch_is_open(&watch));
	watch_close(&watch);
}

TEST(what_is_none_of_these, remove_it, remove_it)
{
	struct watch watch = { 0 };

	assert_int_equal(watch_open(&watch, path, NULL, 0), -ENOENT);
	assert_int_equal(watch_open(&watch, "/dev/null", NULL, 0), -EINVAL);
	assert_int_equal(watch_open(&watch, folder, NULL, 0), -EINVAL);
	assert_int_equal(watch_open_file(&watch, path), -ENOENT);
	assert_false(watch_is_open(&watch));
}

TEST(a_file_is_read_again, remove_it, remove_it)
{
	struct watch watch = { 0 };
	int fd = open(path, O_CREAT | O_RDWR, 0600);
	char text[16];

	assert_int_equal(watch_open_file(&watch, path), 0);
	assert_int_equal(watch_read(&watch, text, sizeof(text)), 0);
	assert_int_equal(write(fd, "first", 5), 5);
	assert_int_equal(watch_read(&watch, text, sizeof(text)), 5);
	assert_int_equal(pwrite(fd, "other", 5, 0), 5);
	assert_int_equal(watch_read(&watch, text, sizeof(text)), 5);
	assert_memory_equal(text, "other", 5);
	watch_close(&watch);
	assert_int_equal(watch_read(&watch, text, sizeof(text)), -EBADF);
	close(fd);
}

/* The program closes all descriptors and the number becomes another file's. */
TEST(a_number_that_changed_hands, remove_it, remove_it)
{
	struct watch watch = { 0 };
	int pipes[2], ours;
	char c;

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(watch_open(&watch, path, NULL, 0), 0);
	ours = number_of(&watch);
	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	assert_int_equal(dup2(pipes[0], ours), ours);
	assert_int_equal(write(pipes[1], "x", 1), 1);
	assert_false(watch_poll(&watch));
	assert_false(watch_is_open(&watch));
	assert_int_equal(read(ours, &c, 1), 1);
	assert_int_equal(c, 'x');
	watch_close(&watch);
	assert_true(is_open(ours));
	close(ours);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(watch_open(&watch, path, NULL, 0), 0);
	close(number_of(&watch));
	assert_false(watch_poll(&watch));
	assert_false(watch_is_open(&watch));
}

TEST_MAIN(begin, end)
