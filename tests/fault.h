/* fault: misuse in a child of its own; its last words are checked exactly
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
#include <sys/resource.h>

struct fault_case {
	const char *name;
	void (*run)(size_t argument);
	const char *conf;    /* or NULL */
	size_t arguments[8]; /* run once for each, up to the first 0 */
};

/* What lies in CPU caches is checked when it goes back to its slab: at the
 * latest now. */
__attribute__((unused)) static void flush_caches(void)
{
	LANE(lanemalloc_purge)();
}

static void no_core(void)
{
	struct rlimit none = { 0, 0 };

	must(setrlimit(RLIMIT_CORE, &none) == 0);
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

static const struct fault_case *fault_cases;
static size_t nr_fault_cases;

TEST_LANE(test_faults)
{
	for (size_t i = 0; i < nr_fault_cases; i++) {
		const size_t *argument = fault_cases[i].arguments;

		do {
			fault_check(&fault_cases[i], *argument);
		} while (*argument && *++argument);
	}
}

static int fault_main(const struct fault_case *cases, size_t n, int argc,
			 char **argv)
{
	fault_cases = cases;
	nr_fault_cases = n;
	for (size_t i = 0; argc > 2 && i < n; i++)
		if (!strcmp(cases[i].name, argv[1]))
			cases[i].run(strtoul(argv[2], NULL, 10));
	return argc > 1 ? 0 : tests_run(NULL, NULL);
}

#define FAULT_MAIN(cases)                                           \
	int main(int argc, char **argv)                             \
	{                                                           \
		return fault_main(cases, ARRAY_SIZE(cases), argc,   \
				  argv);                            \
	}

#endif
