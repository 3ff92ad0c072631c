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
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../stress/harness/random.h"
#include "lanemalloc.h"
#include "pattern.h"
#include "threads.h"

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

/* The call gives NULL for want of memory; the statement leaves errno alone. */
#define assert_no_memory(call)                   \
	do {                                     \
		errno = 0;                       \
		assert_null(call);               \
		assert_int_equal(errno, ENOMEM); \
	} while (0)
#define keeping_errno(...)             \
	do {                           \
		errno = 4711;          \
		__VA_ARGS__;           \
		must(errno == 4711);   \
	} while (0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIB ((size_t)1 << 20)

/* All blocks of an array. */
#define free_each(blocks)                                         \
	do {                                                      \
		for (size_t i_ = 0; i_ < ARRAY_SIZE(blocks); i_++) \
			free((blocks)[i_]);                       \
	} while (0)

/* The pattern of a seed; blocks above 256 bytes carry it at both ends only. */
#define PATTERN_END ((size_t)128)

static inline size_t pattern_head(size_t size)
{
	return size > 2 * PATTERN_END ? PATTERN_END : size;
}

static inline void pattern_fill(void *block, size_t size, uint64_t seed)
{
	size_t head = pattern_head(size);

	pattern_write(block, 0, head, seed);
	if (head < size)
		pattern_write(block, size - PATTERN_END, size, seed);
}

static inline int pattern_holds(const void *block, size_t size, uint64_t seed)
{
	size_t head = pattern_head(size);

	return pattern_is_there(block, 0, head, seed) &&
	       (head == size || pattern_is_there(block, size - PATTERN_END,
						 size, seed));
}

/* It holds its pattern, and goes. */
static inline void pattern_free(void *block, size_t size, uint64_t seed)
{
	must(pattern_holds(block, size, seed));
	free(block);
}

static inline int is_zero(const void *block, size_t size)
{
	const unsigned char *p = (const unsigned char *)block;

	return size == 0 || (*p == 0 && memcmp(p, p + 1, size - 1) == 0);
}

/* How often the piece stands there. */
static inline unsigned lines_of(const char *text, const char *piece)
{
	unsigned n = 0;

	while ((text = strstr(text, piece))) {
		text += strlen(piece);
		n++;
	}
	return n;
}

/* Blocks come, grow and go, each with its pattern: most of up to 3,000 bytes,
 * one in 64 of up to `most`. */
static inline void blocks_churn(uint64_t seed, size_t rounds, size_t most)
{
	struct {
		char *p;
		size_t size;
	} live[64] = { { NULL, 0 } };

	for (size_t i = 0; i < rounds; i++) {
		size_t k = random_next(&seed) % 64;
		size_t n = 1 + random_next(&seed) % (i % 64 ? 3000 : most);
		char *old = live[k].p;

		must(!old || pattern_holds(old, live[k].size, k));
		if (i % 3)
			free(old);
		live[k].p = (char *)(i % 3 == 0 ? realloc(old, n) :
				     i % 8	? malloc(n) :
						  memalign(128, n));
		live[k].size = n;
		must(live[k].p);
		pattern_fill(live[k].p, n, k);
	}
	for (size_t k = 0; k < 64; k++)
		free(live[k].p);
}

static inline int is_aligned(const void *p, size_t align)
{
	return (uintptr_t)p % align == 0;
}

/* A function by its symbol, of a type that is a pointer. */
#define LOOK(type, name) ((type)dlsym(RTLD_DEFAULT, name))

/* One function of the library, by name, NULL without it: the tests are not
 * linked with it. In a static program the function itself. libc locks where it
 * looks: not in a handler that may come while it does. */
#ifdef EXPECT_LINKED
#define LANE(name) (&name)
#else
#define LANE(name) ((__typeof__(&name))dlsym(RTLD_DEFAULT, #name))
#endif

#ifndef EXPECT_LINKED

#include "cases.h"

/* What each allocation of the size promises. */
static inline void check_block(void *p, size_t align, size_t size)
{
	assert_non_null(p);
	assert_true(is_aligned(p, align));
	assert_true(is_aligned(p, 16));
	assert_true(malloc_usable_size(p) >= size);
}

/* The library's path; NULL when this program was started without it. */
static inline const char *library_path(void)
{
	const char *path = getenv("LANEMALLOC_SO");

	return path ? path : getenv("LD_PRELOAD");
}

/* Skips the test without the library. Where one should have been preloaded,
 * its absence is a failure. */
static inline int have_lane(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (LANE(lanemalloc_version))
		return 1;
	must(!preload || !strstr(preload, "liblanemalloc"));
	return 0;
}

/* A test that is skipped without the library. */
#define TEST_LANE(...) TEST_WHERE(have_lane(), __VA_ARGS__)

/* Under a user-mode emulator: no exec of itself, no page faults, no RSS. Such
 * a one has no robust mutexes, which every kernel has. */
static inline int is_emulated(void)
{
#ifdef __x86_64__
	return false;
#else
	void *list;
	size_t size;

	return syscall(SYS_get_robust_list, 0, &list, &size) < 0 &&
	       errno == ENOSYS;
#endif
}

#define need_kernel()              \
	do {                       \
		if (is_emulated()) \
			skip();    \
	} while (0)

static inline int is_direct(void)
{
	return strcmp(LANE(lanemalloc_mode)(NULL), "direct") == 0;
}

static inline struct lanemalloc_stats stats_now(void)
{
	struct lanemalloc_stats stats;

	must(LANE(lanemalloc_stats)(&stats, sizeof(stats)) >= sizeof(stats));
	return stats;
}

/* "plugin_NAME.so" beside this program. */
static inline const char *plugin_path(const char *name)
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

static inline void child_run(struct child *child)
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

static inline int child_succeeded(const struct child *child)
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

/* A child of fork() passes the statement. */
#define child_passes(...)                          \
	do {                                       \
		pid_t child_ = fork();             \
		must(child_ >= 0);                 \
		if (!child_) {                     \
			__VA_ARGS__;               \
			_exit(0);                  \
		}                                  \
		must(exited_with_zero(child_));    \
	} while (0)

/* For those that are to die by a signal. */
static inline void no_core(void)
{
	struct rlimit none = { 0, 0 };

	must(setrlimit(RLIMIT_CORE, &none) == 0);
}

/* A part that the program plays when it is run again, with its name as the
 * first argument:
 *
 *	ROLE(threads)
 *	{
 *		...
 *	}
 */
struct role {
	const char *name;
	void (*run)(void);
};

/* The linker's bounds of the list. */
#ifdef __cplusplus
extern "C" {
#endif
extern const struct role *const __start_roles[] __attribute__((weak));
extern const struct role *const __stop_roles[] __attribute__((weak));
#ifdef __cplusplus
}
#endif

#define ROLE(name)                                                     \
	static void role_##name(void);                                 \
	static const struct role role_##name##_is = { #name,           \
						      role_##name };   \
	static const struct role *const role_##name##_listed           \
		__attribute__((section("roles"), used)) =              \
			&role_##name##_is;                             \
	static void role_##name(void)

static inline int role_run(const char *name)
{
	const struct role *const *role = __start_roles;

	for (; role < __stop_roles; role++) {
		if (strcmp((*role)->name, name))
			continue;
		(*role)->run();
		return 0;
	}
	return 64;
}

#ifndef EXPECT_LINKED

/* Of the last role that was run. */
__attribute__((unused)) static struct child child;

/* In a child, with these options, to whatever end. */
static inline void role_ends(const char *name, const char *conf)
{
	child.role = name;
	child.conf = conf;
	child_run(&child);
}

/* It must succeed. */
static inline void role_runs(const char *name, const char *conf)
{
	need_kernel();
	role_ends(name, conf);
	assert_true(child_succeeded(&child));
}

/* And it writes nothing to stderr. */
static inline void role_passes(const char *name, const char *conf)
{
	role_runs(name, conf);
	assert_string_equal(child.err, "");
}

/* As LD_PRELOAD is to be with "plugin_NAME.so" before or behind the library. */
static const char *role_plugin;
static bool role_plugin_first;

static void role_preload(void)
{
	const char *library = getenv("LD_PRELOAD");
	const char *plugin = plugin_path(role_plugin);
	char text[2 * PATH_MAX];

	if (!library)
		snprintf(text, sizeof(text), "%s", plugin);
	else
		snprintf(text, sizeof(text), "%s:%s",
			 role_plugin_first ? plugin : library,
			 role_plugin_first ? library : plugin);
	setenv("LD_PRELOAD", text, 1);
}

static inline void role_with_plugin(const char *name, const char *plugin,
				    bool first)
{
	role_plugin = plugin;
	role_plugin_first = first;
	child.prepare = role_preload;
	role_passes(name, NULL);
	child.prepare = NULL;
}

/* A role, and the test that it passes under each of these options. */
#define TEST_ROLE_WHERE(condition, passes, name, ...)                     \
	TEST_WHERE(condition, name##_passes)                              \
	{                                                                 \
		const char *const confs[] = { __VA_ARGS__ };              \
									  \
		for (size_t i = 0; i < ARRAY_SIZE(confs); i++)            \
			passes(#name, confs[i]);                          \
	}                                                                 \
	ROLE(name)
#define TEST_ROLE(...) TEST_ROLE_WHERE(have_lane(), role_passes, __VA_ARGS__)

/* Around all tests, and for all roles. */
#define API_MAIN(setup, teardown)                                         \
	int main(int argc, char **argv)                                   \
	{                                                                 \
		have_lane();                                              \
		return argc > 1 ? role_run(argv[1]) :                     \
				  tests_run(setup, teardown);             \
	}

#endif

/* A line for the parent: what the child's own last words are to be. */
__attribute__((unused, format(printf, 1, 2))) static void
announce(const char *format, ...)
{
	char text[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text[n++] = '\n';
	must(write(1, text, (size_t)n) == n);
}

#endif
