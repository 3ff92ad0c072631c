/* modes: all no-qemu */
/* guarded blocks: each kind of misuse is named, with place and stacks; with
 * guard_recover=1 the program goes on */
#include "expect.h"

#include <fcntl.h>
#include <sys/stat.h>

#define ALL "guard=1,profile_interval=1"
#define SIZE ((size_t)100)
#define ROOM ((size_t)112) /* of a block that ends with its page */

static char file[64];
static volatile char sink;

/* Blocks begin and end with their pages by turns. */
static char *block_at_end(size_t size)
{
	char *p = malloc(size), *q = malloc(size);

	must(p && q);
	return (uintptr_t)p % 4096 ? p : q;
}

static char *block_at_start(size_t size)
{
	char *p = malloc(size), *q = malloc(size);

	return (uintptr_t)p % 4096 ? q : p;
}

/* The line that was announced, then the stacks, with the program in them. */
static void fault_check(const char *name)
{
	static const char prefix[] = "lanemalloc: ";
	size_t n;

	role_ends(name, ALL);
	n = strlen(child.out);
	if (n && WIFSIGNALED(child.status) &&
	    !strncmp(child.err, prefix, strlen(prefix)) &&
	    !strncmp(child.err + strlen(prefix), child.out, n) &&
	    strstr(child.err, " of process ") &&
	    strstr(child.err, "allocated by thread ") &&
	    lines_of(child.err, "#0 ") == lines_of(child.err, " by thread ") &&
	    lines_of(child.err, "api_guarded+0x") >= 2)
		return;
	fprintf(stderr, "%s: status %#x\n  wanted: %s\n  got: %s\n", name,
		(unsigned)child.status, child.out, child.err);
	fail();
}

/* A role that is a fault, and the test of what is said of it. */
#define FAULT(name)                     \
	TEST_LANE(name##_is_named)      \
	{                               \
		fault_check(#name);     \
	}                               \
	ROLE(name)

FAULT(read_freed)
{
	char *p = malloc(SIZE);

	announce("use after free: read of %p, 8 bytes into a block of 100 "
		 "bytes", p + 8);
	free(p);
	sink = *(volatile char *)opaque(p + 8);
}

/* As late as the pool allows. */
FAULT(write_freed)
{
	char *p = malloc(1);

	announce("use after free: write to %p, 0 bytes into a block of 1 bytes",
		 p);
	free(p);
	for (int i = 0; i < 120; i++)
		free(opaque(malloc(SIZE)));
	*(volatile char *)opaque(p) = 1;
}

FAULT(right)
{
	char *p = block_at_end(SIZE);

	announce("overflow: write to %p, 12 bytes right of a block of 100 "
		 "bytes", p + ROOM);
	*(volatile char *)opaque(p + ROOM) = 1;
}

FAULT(left)
{
	char *p = block_at_start(SIZE);

	announce("underflow: read of %p, 8 bytes left of a block of 100 bytes",
		 p - 8);
	sink = *(volatile char *)opaque(p - 8);
}

FAULT(far_right)
{
	char *p = block_at_end(ROOM);

	announce("use after free and overflow: write to %p, 0 bytes right of "
		 "a block of 112 bytes", p + ROOM);
	free(p);
	*(volatile char *)opaque(p + ROOM) = 1;
}

FAULT(double)
{
	char *p = malloc(SIZE);

	announce("double free: free of %p, a block of 100 bytes", p);
	free(p);
	free(opaque(p));
}

FAULT(realloc_freed)
{
	char *p = malloc(SIZE);

	announce("double free: realloc of %p, a block of 100 bytes", p);
	free(p);
	p = realloc(opaque(p), 50);
}

FAULT(usable_freed)
{
	char *p = malloc(SIZE);

	announce("double free: malloc_usable_size of %p, a block of 100 bytes",
		 p);
	free(p);
	sink = (char)malloc_usable_size(opaque(p));
}

FAULT(inside)
{
	char *p = malloc(SIZE);

	announce("invalid free: free of %p, 16 bytes into a block of 100 bytes",
		 p + 16);
	free(opaque(p + 16));
}

FAULT(outside)
{
	char *p = block_at_end(SIZE);

	announce("invalid free: free of %p, 16 bytes left of a block of 100 "
		 "bytes", p - 16);
	free(opaque(p - 16));
}

FAULT(slack)
{
	char *p = malloc(SIZE);

	announce("overflow: free of %p, written 3 bytes right of its 100 bytes",
		 p);
	((char *)opaque(p))[103] = 0;
	free(p);
}

FAULT(slack_left)
{
	char *p = block_at_end(SIZE);

	announce("underflow: free of %p, written 1 bytes left of its 100 bytes",
		 p);
	((char *)opaque(p))[-1] = 0;
	free(p);
}

/* Never freed. */
FAULT(slack_at_exit)
{
	char *p = malloc(SIZE);

	announce("overflow: check at exit of %p, written 0 bytes right of its "
		 "100 bytes", p);
	((char *)opaque(p))[100] = 0;
	exit(0);
}

/* A child of a fork has its parent's blocks. */
FAULT(fork)
{
	char *p = malloc(SIZE), *q = malloc(SIZE);
	int status;

	announce("use after free: read of %p, 1 bytes into a block of 100 "
		 "bytes", p + 1);
	if (!fork()) {
		free(q);
		free(p);
		sink = *(volatile char *)opaque(p + 1);
	}
	must(wait(&status) > 0);
	free(q);
	free(p);
	kill(getpid(), WTERMSIG(status));
}

static void *free_it(void *p)
{
	free(p);
	return NULL;
}

FAULT(thread)
{
	char *p = malloc(SIZE);

	announce("use after free: write to %p, 99 bytes into a block of 100 "
		 "bytes", p + 99);
	thread_run(free_it, p);
	*(volatile char *)opaque(p + 99) = 1;
}

/* Going on */

ROLE(recover)
{
	char *p = malloc(SIZE), *q = malloc(SIZE), *r = malloc(SIZE);

	free(p);
	for (int i = 0; i < 10; i++)
		((volatile char *)opaque(p))[i] = 1;
	must(((volatile char *)opaque(p))[9] == 1);
	free(q);
	free(opaque(q));
	free(opaque(q));
	must(malloc_usable_size(opaque(q)) == 0);
	((volatile char *)opaque(r))[SIZE] = 1;
	free(r);
	for (int i = 0; i < 1000; i++)
		free(opaque(malloc(SIZE)));
}

TEST_LANE(test_recovers)
{
	role_runs("recover", ALL ",guard_recover=1");
	assert_int_equal(lines_of(child.err, ": use after free: "), 1);
	assert_int_equal(lines_of(child.err, ": double free: "), 1);
	assert_int_equal(lines_of(child.err, ": overflow: "), 1);
}

/* What the file has behind a role. */
static const char *report_of(const char *role)
{
	static char conf[128], text[sizeof(child.err)];
	int fd;

	snprintf(file, sizeof(file), "/tmp/api_guarded.%d", getpid());
	snprintf(conf, sizeof(conf), ALL ",report_file=%s", file);
	role_ends(role, conf);
	fd = open(file, O_RDONLY);
	must(fd >= 0);
	child_read(fd, text, sizeof(text));
	unlink(file);
	return text;
}

TEST_LANE(test_the_file_has_the_report)
{
	const char *text = report_of("read_freed");

	assert_true(strlen(text) > 100);
	assert_string_equal(text, child.err);
}

/* Then the file gets stderr's number. */
ROLE(read_freed_without_stderr)
{
	char *p = malloc(SIZE);

	must(!close(2));
	free(p);
	sink = *(volatile char *)opaque(p);
}

TEST_LANE(test_the_file_has_the_report_once)
{
	assert_int_equal(lines_of(report_of("read_freed_without_stderr"),
				  "use after free: "), 1);
}

ROLE(nothing_wrong)
{
	free(opaque(malloc(SIZE)));
}

/* A file that could not be written: known at start, and not made. */
static void starts_with(const char *path, const char *error)
{
	static char conf[256], line[256];

	snprintf(conf, sizeof(conf), "report_file=%s", path);
	role_runs("nothing_wrong", conf);
	snprintf(line, sizeof(line), ": reports of misuse are not written to "
		 "%s: error %s: see report_file\n", path, error);
	assert_int_equal(lines_of(child.err, "\n"), !!*error);
	if (*error)
		assert_non_null(strstr(child.err, line));
}

TEST_LANE(test_the_file_is_tried_at_start)
{
	snprintf(file, sizeof(file), "/tmp/api_guarded.%d", getpid());
	starts_with(file, "");
	assert_int_equal(access(file, F_OK), -1);
	starts_with("relative_file", "");
	starts_with("/dev/null", "");
	starts_with("/nowhere/x", "2, no such file or directory");
	starts_with("/tmp", "21, a directory");
	assert_int_equal(symlink("/dev/null", file), 0);
	starts_with(file, "40, a symbolic link");
	unlink(file);
	/* A pipe without a reader is not waited for. */
	assert_int_equal(mkfifo(file, 0600), 0);
	starts_with(file, "");
	unlink(file);
	assert_int_equal(mknod(file, S_IFSOCK | 0600, 0), 0);
	starts_with(file, "6, nobody reads it");
	unlink(file);
}

/* Nor is the end of another process's lease, most of a minute. */
TEST_LANE(test_a_lease_is_not_waited_for)
{
	int fd;

	snprintf(file, sizeof(file), "/tmp/api_guarded.%d", getpid());
	fd = open(file, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	signal(SIGIO, SIG_IGN);
	if (!fcntl(fd, F_SETLEASE, F_RDLCK))
		starts_with(file, "11, not without waiting");
	close(fd);
	unlink(file);
}

/* Nor is it when there is something to say. */
TEST_LANE(test_a_pipe_that_nobody_reads)
{
	static char conf[128];

	snprintf(file, sizeof(file), "/tmp/api_guarded.%d", getpid());
	snprintf(conf, sizeof(conf), ALL ",report_file=%s", file);
	assert_int_equal(mkfifo(file, 0600), 0);
	role_ends("read_freed", conf);
	unlink(file);
	assert_non_null(strstr(child.err, "  not written to "));
	assert_non_null(strstr(child.err, ": error 6, nobody reads it"));
}

API_MAIN(NULL, NULL)
