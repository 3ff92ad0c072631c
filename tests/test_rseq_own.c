/* rseq_own: threads that register themselves, where libc does not
 *
 * Both files are part of this program, without libc's symbols: as with another
 * libc than glibc, which is told by its tunable not to register. */
#define _GNU_SOURCE

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define __rseq_offset test_no_rseq_offset
#define __rseq_size test_no_rseq_size
#include "cases.h"
#include "cpucache/mode.c"
#include "cpucache/rseq_check.h"
#include "cpucache/rseq_own.c"
#undef __rseq_offset
#undef __rseq_size

#define TUNABLE "glibc.pthread.rseq=0"

/* cmocka's assertions are for the main thread. */
static const char *failed;
#define must(cond) (failed = (cond) ? failed : #cond)

/* As -EBUSY says, which is for an area that is this thread's already. */
static bool kernel_knows(void)
{
	return rseq_register(&own.area) == -EBUSY;
}

static bool is_registered(void)
{
	return rseq_self() == &own.area && kernel_knows() &&
	       rseq_area_cpu_id(&own.area) < system_nr_cpus();
}

/* Nobody may say so at the end of a test, as the kernel would say otherwise. */
static bool is_unregistered(void)
{
	return !rseq_self() && !own_is_new() &&
	       rseq_area_cpu_id(&own.area) == RSEQ_NEW_THREAD;
}

static void in_thread(void *(*run)(void *))
{
	pthread_t thread;

	failed = NULL;
	assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
	pthread_join(thread, NULL);
	if (failed)
		fail_msg("%s", failed);
}

TEST(test_before_start)
{
	assert_int_equal(rseq_own_state(), RSEQ_OWN_NEW);
	assert_false(rseq_libc_ready());
	rseq_start();
	rseq_ensure();
	assert_null(load_relaxed(&rseq_state.why)); // own
	assert_int_equal(rseq_area_cpu_id(&own.area), RSEQ_NEW_THREAD);
}

TEST(test_off_by_option)
{
	config_start(); /* only the first one reads the environment */
	config.rseq = 0;
	rseq_own_start();
	assert_int_equal(rseq_own_state(), RSEQ_OWN_NONE);
	assert_true(rseq_libc_ready());
	rseq_ensure();
	assert_int_equal(rseq_area_cpu_id(&own.area), RSEQ_NEW_THREAD);
	config.rseq = 1;
}

TEST(test_start)
{
	rseq_own_start();
	assert_int_equal(rseq_own_state(), RSEQ_OWN_READY);
	assert_true(rseq_libc_ready());
	rseq_start();
	assert_int_not_equal(load_relaxed(&rseq_state.mode), // own
			     MODE_DIRECT);
	assert_int_equal(anchor.rseq_cs, rseq_own_cs());
	assert_true(is_registered());
	assert_true(rseq_current_id() < system_nr_cpus());
	assert_true(rseq_kernel_aborts());
}

static void *registers_when_asked(void *unused)
{
	must(!rseq_self());
	must(rseq_current_id() < rseq_state.nr_cpus);
	errno = 12345;
	rseq_ensure();
	must(is_registered());
	rseq_ensure();
	must(is_registered());
	must(errno == 12345);
	return unused;
}

TEST(test_thread)
{
	in_thread(registers_when_asked);
}

/* A key that is made later has its destructor called later. */
static pthread_key_t later;

static void runs_after_the_end(void *unused)
{
	(void)unused;
	must(is_unregistered());
	rseq_ensure();
	must(is_unregistered());
}

static void *ends(void *unused)
{
	pthread_setspecific(later, &later);
	rseq_ensure();
	must(is_registered());
	return unused;
}

TEST(test_end)
{
	assert_int_equal(pthread_key_create(&later, runs_after_the_end), 0);
	in_thread(ends);
}

static void registering_handler(int unused)
{
	(void)unused;
	rseq_ensure();
}

/* A handler did all of it in front of the interrupted one's system call. */
static void *is_interrupted(void *unused)
{
	must(own_is_new());
	raise(SIGUSR1);
	own_register();
	must(!own.refused);
	must(is_registered());
	return unused;
}

TEST(test_handler)
{
	signal(SIGUSR1, registering_handler);
	in_thread(is_interrupted);
	signal(SIGUSR1, SIG_DFL);
}

static void *has_an_area_of_the_programs(void *unused)
{
	static struct rseq_area programs;

	must(!rseq_register(&programs));
	rseq_ensure();
	must(own.refused && !rseq_self());
	rseq_unregister(&programs);
	rseq_ensure();
	must(!rseq_self() && !own_is_new());
	return unused;
}

TEST(test_refused)
{
	in_thread(has_an_area_of_the_programs);
}

static void *is_in_a_sandbox(void *unused)
{
	rseq_ensure();
	must(own_is_new() && !rseq_self());
	return unused;
}

TEST(test_sandbox)
{
	sandbox_begin();
	in_thread(is_in_a_sandbox);
	sandbox_end(0);
	in_thread(registers_when_asked);
}

TEST(test_fork)
{
	int status = -1;
	pid_t child = fork();

	if (!child)
		_exit(is_registered() ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static bool kernel_has_rseq(void)
{
	return system_rseq_register(NULL, 0, 0) == -EINVAL;
}

/* Once more, with a libc that leaves the registration to others. */
static void without_libc(char **argv)
{
	const char *told = getenv("GLIBC_TUNABLES");

	if (told && strstr(told, TUNABLE))
		return;
	setenv("GLIBC_TUNABLES", TUNABLE, 1);
	execv("/proc/self/exe", argv);
	perror("/proc/self/exe");
	exit(1);
}

int main(int argc, char **argv)
{
	(void)argc;
	without_libc(argv);
	if (!kernel_has_rseq())
		return 0;
	return tests_run(NULL, NULL);
}
