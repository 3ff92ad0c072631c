/* modes: all no-qemu */
/* $MEMORY_PRESSURE_WATCH: a FIFO or a socket says that memory is short, and the
 * helper gives all back; descriptors that the program closes are left alone */
#include "expect.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define CONF "pressure=on,purge_budget=1g,purge_delay=3600000"
#define NR_BLOCKS 50000
#define TEXT "abc"
#define TEXT_BASE64 "YWJj"

static char folder[] = "/tmp/api_pressure_XXXXXX";
static char path[64];

static void nap(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* Half a minute for what takes a second. */
#define SOON_TRIES 600
#define SOON_MS 50
#define soon(cond)                                       \
	do {                                             \
		int tries_ = SOON_TRIES;                 \
		while (!(cond) && --tries_)              \
			nap(SOON_MS);                    \
		must(cond);                              \
	} while (0)

static void *nothing(void *arg)
{
	return arg;
}

static void have_threads(void)
{
	thread_run(nothing, NULL);
}

/* Free memory that nothing but pressure makes the library give back. */
static void have_free_memory(void)
{
	static void *blocks[NR_BLOCKS];

	for (size_t i = 0; i < NR_BLOCKS; i++)
		blocks[i] = memset(malloc(1000), 1, 1000);
	for (size_t i = 0; i < NR_BLOCKS; i++)
		free(blocks[i]);
	must(stats_now().free_dirty_size + stats_now().cached_size +
		     stats_now().slab_free_size > 30 * MIB);
}

static bool all_went(void)
{
	struct lanemalloc_stats s = stats_now();

	return s.nr_pressures > 0 && s.pressure_reason == 4 &&
	       s.free_dirty_size < MIB;
}

/* How many descriptors from 100 on are open, and that exec closes them. */
static unsigned nr_watches(void)
{
	unsigned nr = 0;

	for (int fd = 100; fd < 1100; fd++)
		if (fcntl(fd, F_GETFD) >= 0) {
			must(fcntl(fd, F_GETFD) == FD_CLOEXEC);
			nr++;
		}
	return nr;
}

static void tell_fifo(void)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK);

	must(fd >= 0 && write(fd, "x", 1) == 1);
	close(fd);
}

static void watch_in_vain(void)
{
	have_threads();
	must(nr_watches() == 1);
	have_free_memory();
	must(!all_went());
}

ROLE(fifo)
{
	snprintf(path, sizeof(path), "%s", getenv("MEMORY_PRESSURE_WATCH"));
	must(nr_watches() == 0);
	watch_in_vain();
	tell_fifo();
	soon(all_went());
}

static bool told_since(uint64_t before)
{
	tell_fifo();
	return stats_now().nr_pressures > before;
}

/* Tells a child whose parent watches the same FIFO, and might take each byte
 * before it does: the parent stands still meanwhile. */
static void tell_child_alone(void)
{
	uint64_t before = stats_now().nr_pressures;
	int tries = SOON_TRIES;

	must(!kill(getppid(), SIGSTOP));
	while (!told_since(before) && --tries)
		nap(SOON_MS);
	must(!kill(getppid(), SIGCONT));
	must(tries);
}

static void watch_alone(void)
{
	have_threads();
	have_free_memory();
	tell_child_alone();
}

/* A fork's child watches for itself, when it has threads. */
ROLE(fork)
{
	snprintf(path, sizeof(path), "%s", getenv("MEMORY_PRESSURE_WATCH"));
	have_threads();
	child_passes(watch_in_vain());
	have_free_memory();
	tell_fifo();
	soon(all_went());
	child_passes(watch_alone());
}

/* Daemons close all; what has the number then is nobody else's business. */
ROLE(closed)
{
	int fd, ours = -1, pipes[2];
	char c = 0;

	snprintf(path, sizeof(path), "%s", getenv("MEMORY_PRESSURE_WATCH"));
	have_threads();
	for (fd = 100; fd < 1100; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			ours = fd;
	must(ours >= 0);
	must(!pipe2(pipes, O_NONBLOCK) && dup2(pipes[0], ours) == ours);
	must(write(pipes[1], "x", 1) == 1);
	nap(2500);
	must(read(ours, &c, 1) == 1 && c == 'x');
	must(!all_went());
}

ROLE(off)
{
	have_threads();
	must(nr_watches() == 0);
}

static int server;

/* A socket that is bound to the path, or connected to who is. */
static int socket_at_path(int (*place)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	must(!place(fd, (void *)&name, sizeof(name)));
	return fd;
}

static int next_caller(void)
{
	struct pollfd poll_server = { .fd = server, .events = POLLIN };

	return poll(&poll_server, 1, SOON_TRIES * SOON_MS) == 1 ?
		       accept(server, NULL, NULL) :
		       -1;
}

/* The service manager's side: it hears the text, and tells when the program
 * itself has called, until that hangs up. */
static void *serve(void *arg)
{
	char text[8] = "";
	int fd = next_caller(), program;

	(void)arg;
	if (fd < 0)
		return (void *)1;
	if (read(fd, text, sizeof(text)) != 3 || strcmp(text, TEXT))
		return (void *)2;
	program = next_caller();
	if (program < 0 || write(fd, "x", 1) != 1)
		return (void *)3;
	if (read(program, text, 1) != 0)
		return (void *)4;
	close(program);
	close(fd);
	return NULL;
}

ROLE(socket)
{
	int fd;

	snprintf(path, sizeof(path), "%s", getenv("MEMORY_PRESSURE_WATCH"));
	watch_in_vain();
	fd = socket_at_path(connect);
	soon(all_went());
	close(fd);
	/* The end of the other side ends the watch. */
	soon(nr_watches() == 0);
}

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	return setenv("MEMORY_PRESSURE_WATCH", path, 1);
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static int have_fifo(void **state)
{
	(void)state;
	unlink(path);
	unsetenv("MEMORY_PRESSURE_WRITE");
	return mkfifo(path, 0600);
}

TEST_LANE(a_fifo, have_fifo)
{
	role_passes("fifo", CONF);
}

TEST_LANE(the_child_of_a_fork, have_fifo)
{
	role_passes("fork", CONF);
}

TEST_LANE(closed_by_the_program, have_fifo)
{
	role_passes("closed", CONF);
}

TEST_LANE(only_by_the_option, have_fifo)
{
	role_passes("off", "purge_budget=1g");
	role_passes("off", "pressure=on,reclaimer=off");
	setenv("MEMORY_PRESSURE_WATCH", "/dev/null", 1);
	role_passes("off", CONF);
	setenv("MEMORY_PRESSURE_WATCH", path, 1);
}

TEST_LANE(a_socket)
{
	pthread_t thread;
	void *result;

	unlink(path);
	setenv("MEMORY_PRESSURE_WRITE", TEXT_BASE64, 1);
	server = socket_at_path(bind);
	must(!listen(server, 4));
	assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
	role_passes("socket", CONF);
	pthread_join(thread, &result);
	assert_null(result);
	close(server);
}

int main(int argc, char **argv)
{
	/* Who started this may have some open. */
	for (int fd = 100; argc > 1 && fd < 1100; fd++)
		close(fd);
	return argc > 1 ? role_run(argv[1]) : tests_run(begin, end);
}
