/* fault: misuse in a child of its own; its last words are checked exactly
 *
 *	FAULT(twice, NULL, 16, 100)	run with no options, for each size
 *	{
 *		...
 *	}
 *	FAULT_ALSO(twice, "checks=1", 100)
 *
 * A case announces what the library is to say, then does it. announce() may
 * be called more than once where several answers are right. The child must
 * die by SIGABRT, and stderr must be "lanemalloc: " with one of the announced
 * texts, and nothing else but lines that tell of it, which begin with blanks.
 * An announced text that begins with blanks has to be in one of those. The file
 * of the option report_file has the same.
 */
#ifndef FAULT_H
#define FAULT_H

#include "expect.h"

#include <fcntl.h>

struct fault_case {
	const char *name;
	void (*run)(size_t argument);
	const char *conf;    /* or NULL */
	size_t arguments[8]; /* run once for each, up to the first 0 */
};

/* What lies in CPU caches is checked when it goes back to its slab: at the
 * latest now. */
static inline void flush_caches(void)
{
	LANE(lanemalloc_purge)();
}

static bool is_announced(const char *err, const char *out)
{
	static const char prefix[] = "lanemalloc: ";
	size_t n;

	if (strncmp(err, prefix, strlen(prefix)))
		return false;
	err += strlen(prefix);
	for (; *out; out += n) {
		n = strcspn(out, "\n") + 1;
		if (!strncmp(err, out, n) &&
		    (!err[n] || !strncmp(err + n, "lanemalloc:   ", 14)))
			return true;
	}
	return false;
}

static bool is_told(const char *err, const char *out)
{
	size_t n;

	for (; *out; out += n) {
		n = strcspn(out, "\n") + 1;
		if (*out == ' ' && !memmem(err, strlen(err), out, n - 1))
			return false;
	}
	return true;
}

/* Runs it with a report file, which a case may name itself; returns what is in
 * that file. */
static const char *child_run_reported(struct child *child)
{
	static char text[sizeof(child->err)];
	bool has_own = child->conf && strstr(child->conf, "report_file");
	char file[32], conf[128];
	int fd;

	if (has_own) {
		child_run(child);
		return child->err;
	}
	snprintf(file, sizeof(file), "/tmp/fault.%d", getpid());
	snprintf(conf, sizeof(conf), "%s%sreport_file=%s",
		 child->conf ? child->conf : "", child->conf ? "," : "", file);
	child->conf = conf;
	child_run(child);
	fd = open(file, O_RDONLY);
	*text = 0;
	if (fd >= 0)
		child_read(fd, text, sizeof(text));
	unlink(file);
	return text;
}

static void fault_check(const struct fault_case *test, size_t argument)
{
	static struct child child = { .prepare = no_core };
	const char *filed;
	char text[32];

	snprintf(text, sizeof(text), "%zu", argument);
	child.role = test->name;
	child.argument = text;
	child.conf = test->conf;
	filed = child_run_reported(&child);
	if (WIFSIGNALED(child.status) && WTERMSIG(child.status) == SIGABRT &&
	    is_announced(child.err, child.out) &&
	    is_told(child.err, child.out) && !strcmp(filed, child.err))
		return;
	fprintf(stderr,
		"%s %zu: status %#x\n  wanted: %s  got: %s  in the file: %s\n",
		test->name, argument, (unsigned)child.status, child.out,
		child.err, filed);
	fail();
}

/* The linker's bounds of the list. */
extern const struct fault_case *const __start_faults[];
extern const struct fault_case *const __stop_faults[];

#define FAULT_LIST(case, run, conf, ...)                             \
	static const struct fault_case case = { #run, run, conf,     \
						{ __VA_ARGS__ } };   \
	static const struct fault_case *const case##_listed          \
		__attribute__((section("faults"), used)) = &case;
#define FAULT_AT(line, ...) FAULT_LIST(fault_at_##line, __VA_ARGS__)
#define FAULT_HERE(line, ...) FAULT_AT(line, __VA_ARGS__)
#define FAULT_ALSO(...) FAULT_HERE(__LINE__, __VA_ARGS__)
#define FAULT(name, ...)                \
	static void name(size_t size);  \
	FAULT_ALSO(name, __VA_ARGS__)   \
	static void name(size_t size)

TEST_LANE(test_faults)
{
	const struct fault_case *const *test = __start_faults;

	for (; test < __stop_faults; test++) {
		const size_t *argument = (*test)->arguments;

		do {
			fault_check(*test, *argument);
		} while (*argument && *++argument);
	}
}

static int fault_run(const char *name, const char *argument)
{
	const struct fault_case *const *test = __start_faults;

	for (; test < __stop_faults; test++)
		if (!strcmp((*test)->name, name))
			(*test)->run(strtoul(argument, NULL, 10));
	return 0;
}

#define FAULT_MAIN()                                          \
	int main(int argc, char **argv)                       \
	{                                                     \
		return argc > 2 ? fault_run(argv[1], argv[2]) : \
				  tests_run(NULL, NULL);      \
	}

#endif
