/* expect: what the behaviour tests share
 *
 * Each api_*, fault_* and static_* file is one program. Its head says how it
 * is built and run, for the Makefile:
 *
 *	modes: all	run once for each of the library's three modes
 *	modes: once	run once, in the default mode
 *	build: ...	words to append to the one compile-and-link command
 *
 * Plugins (plugin_*.c) become build/tests/plugin_*.so; programs find them
 * beside themselves. Without lanemalloc a program still runs, against libc's
 * malloc, and skips what libc does differently.
 *
 * cmocka's assertions jump out of the test, so they are for the main thread
 * only; must() ends the process and may be used everywhere.
 */
#ifndef EXPECT_H
#define EXPECT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../stress/harness/random.h"
#include "lanemalloc.h"

/* The condition as text on stderr, then the end of the process; in threads,
 * children, signal handlers, constructors and after main. */
#define EXPECT_STRING(x) #x
#define EXPECT_LINE(line) EXPECT_STRING(line)
#define must(cond)                                                  \
	do {                                                        \
		if (!(cond))                                        \
			expect_fail(__FILE__ ":" EXPECT_LINE(       \
				__LINE__) ": failed: " #cond "\n"); \
	} while (0)

__attribute__((noreturn, unused)) static void expect_fail(const char *text)
{
	ssize_t ignored = write(2, text, strlen(text));

	(void)ignored;
	_exit(70);
}

/* The same value, of which the compiler knows nothing: neither that it is
 * too large nor that it was freed. */
#define opaque(x)                                           \
	({                                                  \
		__typeof__(x) volatile opaque_value_ = (x); \
		opaque_value_;                              \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIB ((size_t)1 << 20)

/* A pattern that depends on seed and place; blocks above 256 bytes carry it
 * at both ends only. */
static inline unsigned char pattern_byte(uint64_t seed, size_t i)
{
	return (unsigned char)((seed * 0x9e3779b97f4a7c15ull >> 56) + i * 37);
}

__attribute__((unused)) static void pattern_fill(void *block, size_t size,
						 uint64_t seed)
{
	unsigned char *p = (unsigned char *)block;

	for (size_t i = 0; i < size; i++) {
		if (i == 128 && size > 256)
			i = size - 128;
		p[i] = pattern_byte(seed, i);
	}
}

__attribute__((unused)) static int pattern_holds(const void *block, size_t size,
						 uint64_t seed)
{
	const unsigned char *p = (const unsigned char *)block;

	for (size_t i = 0; i < size; i++) {
		if (i == 128 && size > 256)
			i = size - 128;
		if (p[i] != pattern_byte(seed, i))
			return 0;
	}
	return 1;
}

__attribute__((unused)) static int is_zero(const void *block, size_t size)
{
	const unsigned char *p = (const unsigned char *)block;

	return size == 0 || (*p == 0 && memcmp(p, p + 1, size - 1) == 0);
}

static inline int is_aligned(const void *p, size_t align)
{
	return (uintptr_t)p % align == 0;
}

/* One function of the library, by name, NULL without it: the tests are not
 * linked with it. In a static program the function itself. */
#ifdef EXPECT_LINKED
#define LANE(name) (&name)
#else
#define LANE(name) ((__typeof__(&name))dlsym(RTLD_DEFAULT, #name))
#endif

#ifndef EXPECT_LINKED

#include "cases.h"

/* The library's path; NULL when this program was started without it. */
__attribute__((unused)) static const char *library_path(void)
{
	const char *path = getenv("LANEMALLOC_SO");

	return path ? path : getenv("LD_PRELOAD");
}

/* Skips the test without the library. Where one should have been preloaded,
 * its absence is a failure. */
__attribute__((unused)) static int have_lane(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (LANE(lanemalloc_version))
		return 1;
	must(!preload || !strstr(preload, "liblanemalloc"));
	return 0;
}

#define need_lane()               \
	do {                      \
		if (!have_lane()) \
			skip();   \
	} while (0)

/* Under a user-mode emulator: no exec of itself, no page faults, no RSS. Such
 * a one shows the host's processor. */
__attribute__((unused)) static int is_emulated(void)
{
	char text[256] = "";
	FILE *f = fopen("/proc/cpuinfo", "r");
	int emulated = 0;

#ifndef __x86_64__
	while (f && fgets(text, sizeof(text), f))
		emulated |= !strncmp(text, "vendor_id", 9);
#endif
	(void)text;
	if (f)
		fclose(f);
	return emulated;
}

#define need_kernel()              \
	do {                       \
		if (is_emulated()) \
			skip();    \
	} while (0)

__attribute__((unused)) static int is_direct(void)
{
	return strcmp(LANE(lanemalloc_mode)(NULL), "direct") == 0;
}

__attribute__((unused)) static struct lanemalloc_stats stats_now(void)
{
	struct lanemalloc_stats stats;

	must(LANE(lanemalloc_stats)(&stats, sizeof(stats)) >= sizeof(stats));
	return stats;
}

/* "plugin_NAME.so" beside this program. */
__attribute__((unused)) static const char *plugin_path(const char *name)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	must(n > 0);
	path[n] = 0;
	n = strrchr(path, '/') + 1 - path;
	snprintf(path + n, sizeof(path) - (size_t)n, "plugin_%s.so", name);
	return path;
}

#endif /* EXPECT_LINKED */

/* A second run of this program in a part of its own, with what it wrote. */
struct child {
	const char *role;      /* argv[1] */
	const char *argument;  /* argv[2], or NULL */
	const char *conf;      /* appended to LANEMALLOC_CONF, or NULL */
	void (*prepare)(void); /* called before exec, or NULL */
	const char *program;   /* or NULL: this one */
	int status;            /* as of waitpid() */
	char out[16384];       /* stdout, terminated */
	char err[16384];       /* stderr, terminated */
};

static inline void child_set_conf(const char *conf)
{
	const char *old = getenv("LANEMALLOC_CONF");
	char text[512];

	if (!conf)
		return;
	snprintf(text, sizeof(text), "%s%s%s", old ? old : "",
		 old && *old ? "," : "", conf);
	must(setenv("LANEMALLOC_CONF", text, 1) == 0);
}

static inline void child_read(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	must(n >= 0);
	text[n] = 0;
	close(fd);
}

static inline void child_exec(struct child *child, int out, int err)
{
	const char *program =
		child->program ? child->program : "/proc/self/exe";

	must(dup2(out, 1) == 1 && dup2(err, 2) == 2);
	child_set_conf(child->conf);
	if (child->prepare)
		child->prepare();
	execl(program, program, child->role, child->argument, (char *)NULL);
	_exit(127);
}

__attribute__((unused)) static void child_run(struct child *child)
{
	int out = memfd_create("stdout", MFD_CLOEXEC);
	int err = memfd_create("stderr", MFD_CLOEXEC);
	pid_t pid;

	must(out >= 0 && err >= 0);
	pid = fork();
	must(pid >= 0);
	if (pid == 0)
		child_exec(child, out, err);
	must(waitpid(pid, &child->status, 0) == pid);
	child_read(out, child->out, sizeof(child->out));
	child_read(err, child->err, sizeof(child->err));
}

__attribute__((unused)) static int child_succeeded(const struct child *child)
{
	int ok = WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0;

	if (!ok)
		fprintf(stderr, "role %s: status %#x: %s\n", child->role,
			(unsigned)child->status, child->err);
	return ok;
}

static inline int exited_with_zero(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		must(errno == EINTR);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The parts that a program plays when it is run again. */
struct role {
	const char *name;
	void (*run)(void);
};

#define role_run(roles, name) role_find(roles, ARRAY_SIZE(roles), name)

__attribute__((unused)) static int role_find(const struct role *roles, size_t n,
					     const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(roles[i].name, name))
			continue;
		roles[i].run();
		return 0;
	}
	return 64;
}

#endif
