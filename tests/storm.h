/* storm: the common core of the storm programs
 *
 * A storm is an ordinary program that uses the C allocation functions only,
 * so it runs under any malloc. It is bounded by counts, never by time;
 * --scale (or STORM_SCALE in the environment) multiplies the counts.
 *
 * Two checks accompany every block that a storm holds:
 *
 *	pattern: the whole block is filled with words derived from (address,
 *		size, owner) when it arrives, and verified before it leaves
 *	shadow: the map of what is live (stress/harness/shadow_map.h); a block
 *		whose bits are set already overlaps another one
 *
 * The core takes its own memory from mmap and calls no allocation function
 * except those under test. A failure prints one line and aborts.
 *
 * This file: failure, random numbers, threads, options. storm_block.h: the
 * two checks and allocation with them. storm_work.h: queues and live sets.
 */
#ifndef STORM_H
#define STORM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../stress/harness/memory.h"
#include "../stress/harness/options.h"
#include "../stress/harness/random.h"
#include "../stress/harness/shadow_map.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static struct {
	unsigned threads;
	unsigned rounds; /* already multiplied by the scale */
	uint64_t seed;
} storm;

/* ---- failure ---- */

/* One line on stderr, then abort. The formatter allocates nothing for these
 * conversions, so this works with a damaged heap and in handlers. */
_Noreturn static inline __attribute__((format(printf, 1, 2))) void
storm_fail(const char *fmt, ...)
{
	char line[512];
	va_list args;
	int n, m;

	n = snprintf(line, sizeof(line), "%s: FAILED (pid %d tid %ld): ",
		     program_invocation_short_name, (int)getpid(),
		     syscall(SYS_gettid));
	va_start(args, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, args);
	va_end(args);
	n += m < (int)sizeof(line) - n - 1 ? m : (int)sizeof(line) - n - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) != n)
		_exit(3);
	abort();
}

#define must(cond)                                                           \
	do {                                                                 \
		if (!(cond))                                                 \
			storm_fail("%s:%d: not so: %s (errno %d)", __FILE__, \
				   __LINE__, #cond, errno);                  \
	} while (0)

/* ---- memory of the core's own, and random numbers ---- */

static inline void *storm_map(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

struct rng {
	uint64_t state;
};

static inline struct rng rng_make(uint64_t stream)
{
	return (struct rng){ random_mix(storm.seed * RANDOM_STEP + stream) };
}

static inline uint64_t rng_next(struct rng *rng)
{
	return random_next(&rng->state);
}

static inline size_t rng_below(struct rng *rng, size_t n)
{
	return (size_t)(rng_next(rng) % n);
}

/* 1..most, each power of two about as likely as the others. */
static inline size_t rng_size(struct rng *rng, size_t most)
{
	size_t top = (size_t)1
		     << rng_below(rng, 64 - (size_t)__builtin_clzll(most));
	size_t size = top + rng_below(rng, top);

	return size < most ? size : most;
}

/* ---- threads, memory, start and end ---- */

/* A stack of that size, or of the least that this processor's libc takes. */
static inline void storm_spawn(pthread_t *thread, void *(*run)(void *),
			       uintptr_t index, size_t stack_size)
{
	size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
	pthread_attr_t attr;

	if (stack_size < least)
		stack_size = least;
	must(!pthread_attr_init(&attr));
	must(!pthread_attr_setstacksize(&attr, stack_size));
	errno = pthread_create(thread, &attr, run, (void *)index);
	must(!errno);
	must(!pthread_attr_destroy(&attr));
}

/* A status of a child's that no accident produces. */
#define CHILD_DONE 77

/* Waits for that child; its status. */
static inline int storm_wait(pid_t pid)
{
	int status = 0;

	must(pid > 0);
	while (waitpid(pid, &status, 0) != pid)
		must(errno == EINTR);
	return status;
}

/* Which must have ended by CHILD_DONE. */
static inline void storm_reap(pid_t pid)
{
	int status = storm_wait(pid);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != CHILD_DONE)
		storm_fail("child %d: status %#x", (int)pid, status);
}

/* Starts anew under these options, unless the user has set some. */
static inline void storm_conf(const char *conf, char **argv)
{
	if (getenv("LANEMALLOC_CONF"))
		return;
	must(!setenv("LANEMALLOC_CONF", conf, 1));
	execv("/proc/self/exe", argv);
	storm_fail("exec: errno %d", errno);
}

/* n threads, run((void *)0 .. (void *)(n - 1)); returns when all ended. */
static inline void storm_parallel(unsigned n, void *(*run)(void *),
				  size_t stack_size)
{
	pthread_t *threads = storm_map(n * sizeof(*threads));

	must(threads);
	for (unsigned i = 0; i < n; i++)
		storm_spawn(&threads[i], run, i, stack_size);
	for (unsigned i = 0; i < n; i++)
		must(!pthread_join(threads[i], NULL));
	must(!munmap(threads, n * sizeof(*threads)));
}

static inline void storm_start(int argc, char **argv, unsigned threads,
			       unsigned rounds)
{
	unsigned scale = 1;
	const struct option_row rows[] = {
		OPTION_NUMBER("scale", &scale, 1, INT_MAX,
			      "times as many rounds; or STORM_SCALE"),
		OPTION_NUMBER("threads", &storm.threads, 1, INT_MAX, ""),
		OPTION_NUMBER("rounds", &storm.rounds, 1, INT_MAX, ""),
		OPTION_NUMBER("seed", &storm.seed, 0, INT_MAX, ""),
	};

	storm.threads = threads;
	storm.rounds = rounds;
	storm.seed = 1;
	if (getenv("STORM_SCALE"))
		option_number(&rows[0], getenv("STORM_SCALE"));
	options_read_rows(argc, argv, rows);
	storm.rounds *= scale;
}

static inline int storm_done(void)
{
	printf("%s: ok (%u threads, %u rounds, seed %llu)\n",
	       program_invocation_short_name, storm.threads, storm.rounds,
	       (unsigned long long)storm.seed);
	return fflush(stdout) ? 1 : 0;
}

#include "storm_block.h"
#include "storm_work.h"

#endif
