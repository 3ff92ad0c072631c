/* storm_rights: calls that change rights while other threads allocate
 *
 * Threads set their ids to what they are, by libc and by syscall(), also in
 * handlers and in children of forks, while others allocate and give birth to
 * helpers. As the ids stay the same, no right is needed. After each call of a
 * child no task is there but its own.
 *
 * timeout: 240
 */
#include "storm.h"
#include <signal.h>
#include <sys/prctl.h>

#define NR_CALLERS 2

static struct ring ring;
static atomic_uint nr_callers;

static void call_once(unsigned i)
{
	uid_t id = getuid();
	int saved = errno;

	switch (i % 4) {
	case 0:
		must(!setresuid(id, id, id));
		break;
	case 1:
		must(!syscall(SYS_setreuid, id, id));
		break;
	case 2:
		must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		break;
	case 3:
		/* A container's filter answers EPERM. */
		must(syscall(SYS_setns, -1, 0) == -1 &&
		     (errno == EBADF || prctl(PR_GET_SECCOMP) == 2));
		break;
	}
	errno = saved;
}

static void handler(int nr)
{
	static atomic_uint i;

	(void)nr;
	call_once(2 * atomic_fetch_add(&i, 1) + 1); /* the raw ones */
}

static bool is_alone(void)
{
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	must(n > 0);
	text[n] = 0;
	close(fd);
	return strstr(text, "\nThreads:\t1\n");
}

static void *nothing(void *arg)
{
	return arg;
}

/* No other thread's locks of libc are needed: it creates none before. */
static void child(struct live *live)
{
	for (unsigned i = 0; i < 20; i++) {
		call_once(2 * i + 1);
		must(is_alone());
		live_step(live);
	}
	_exit(CHILD_DONE);
}

static void fork_once(struct live *live)
{
	pid_t pid = fork();

	if (!pid)
		child(live);
	storm_reap(pid);
}

static void caller(struct live *live)
{
	pthread_t thread;

	for (unsigned i = 0; i < storm.rounds; i++) {
		call_once(i);
		live_step(live);
		if (i % 8 == 0)
			pthread_kill(pthread_self(), SIGUSR1);
		if (i % 32 == 0)
			fork_once(live);
		if (i % 16)
			continue;
		must(!pthread_create(&thread, NULL, nothing, NULL));
		pthread_join(thread, NULL);
	}
}

static void *work(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg;
	struct live live;

	live_init(&live, index, 512 * KIB, 64, &ring);
	if (index < NR_CALLERS) {
		caller(&live);
		atomic_fetch_sub(&nr_callers, 1);
	}
	while (atomic_load(&nr_callers))
		live_step(&live);
	live_fini(&live);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handler,
				    .sa_flags = SA_RESTART };

	storm_conf("purge_delay=1", argv);
	must(!sigaction(SIGUSR1, &action, NULL));
	storm_start(argc, argv, 4, 500);
	atomic_store(&nr_callers, NR_CALLERS);
	ring_init(&ring, 256, false);
	storm_parallel(NR_CALLERS + storm.threads, work, 256 * KIB);
	ring_end(&ring);
	return storm_done();
}
