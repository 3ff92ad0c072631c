/* modes: all no-qemu */
/* hardened=1 on a processor that tags memory: a pointer reaches its block and
 * nothing else, in every thread, handler and child */
#include "expect.h"

#include <sys/time.h>

#include "capture.h"
#include "colours.h"

#define FOR_SIZES(n) for (size_t n = 1; n < 262000; n += 1 + n / 3)

/* What the library says of a statement that is misuse begins so. */
#define told(text, ...)                                             \
	({                                                          \
		static struct capture said;                         \
                                                                    \
		capture_begin(&said);                               \
		fault_of(__VA_ARGS__);                              \
		!strncmp(capture_end(&said), (text), strlen(text)); \
	})

/* A role, and the test that it passes where there are tags. */
#define TEST_TAGS(...) \
	TEST_ROLE_WHERE(has_tags() && have_lane(), role_runs, __VA_ARGS__)
#define HARDENED "hardened=1", "hardened=1,rseq=0"

TEST_TAGS(blocks, HARDENED, "hardened=1,quarantine=64k", "hardened=1,mte=async",
	  "hardened=1,guard=5,profile_interval=10000",
	  "hardened=1,profile=1,profile_interval=1000,profile_dir=/tmp")
{
	blocks_churn(1, 20000, MIB);
	FOR_SIZES(n) {
		char *p = malloc(n), *q = calloc(1, n), *r;

		must(malloc_usable_size(p) == n && is_zero(q, n));
		memset(p, 7, n);
		r = memalign(256, n);
		must(is_aligned(r, 256));
		memset(r, 7, n);
		free(p);
		free(q);
		free(r);
	}
}

/* Colours are odd and even by turns, and never 0. */
TEST_TAGS(neighbours, HARDENED)
{
	faults_catch();
	FOR_SIZES(n) {
		char *p = malloc(n);

		must(colour_of(p));
		for (size_t i = 0; i < n; i += GRANULE)
			must(!reads(p + i));
		must(!writes(p + n - 1));
		must(reads(p + whole(n)) == CODE_AT_ONCE);
		must(writes(p + whole(n)) == CODE_AT_ONCE);
		free(p);
	}
}

TEST_TAGS(left, HARDENED)
{
	char *blocks[64];
	unsigned nr_inner = 0;

	faults_catch();
	for (size_t i = 0; i < 64; i++)
		blocks[i] = malloc(100);
	for (size_t i = 0; i < 64; i++) {
		if ((uintptr_t)blocks[i] % 4096 < 112)
			continue;
		must(reads(blocks[i] - 1) == CODE_AT_ONCE);
		must(writes(blocks[i] - 16) == CODE_AT_ONCE);
		nr_inner++;
	}
	must(nr_inner > 16);
}

TEST_TAGS(freed, HARDENED)
{
	faults_catch();
	FOR_SIZES(n) {
		char *p = malloc(n);

		free(p);
		must(reads(p) == CODE_AT_ONCE);
		must(writes(p + n - 1) == CODE_AT_ONCE);
		p = malloc(n);
		free(p);
		must(reads(p + n / 2) == CODE_AT_ONCE);
	}
}

/* What is known of memory that serves again, at `q`, after `p`. */
static struct {
	unsigned nr, nr_same;
} again;

/* Whoever frees p hears of the colour of what is there, which q has. */
static void must_be_coloured(char *p, char *q)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "lanemalloc: free of %p: the block there has colour %u\n",
		 (void *)p, colour_of(q));
	must(told(text, free(opaque(p))) && code == SIGABRT);
}

static void serves_again(char *p, char *q)
{
	again.nr++;
	again.nr_same += p == q;
	must(!reads(q));
	if (p == q || again.nr > 100)
		return;
	must(reads(p) == CODE_AT_ONCE);
	must_be_coloured(p, q);
}

/* A block that serves again has most often another colour. */
TEST_TAGS(served_again, "hardened=1,quarantine=0",
	  "hardened=1,quarantine=0,rseq=0")
{
	char *old[8] = { NULL };

	faults_catch();
	for (unsigned i = 0; i < 10000; i++) {
		char *q = malloc(48);

		for (unsigned k = 0; k < 8; k++)
			if (old[k] && plain(old[k]) == plain(q))
				serves_again(old[k], q);
		free(q);
		old[i % 8] = q;
	}
	must(again.nr > 100 && again.nr_same < again.nr / 4);
}

static void must_be_named(const char *verb, void *volatile p, int call)
{
	void (*free_sized)(void *, size_t) =
		LOOK(void (*)(void *, size_t), "free_sized");
	char text[128];

	snprintf(text, sizeof(text), "lanemalloc: %s of %p: already free\n",
		 verb, p);
	if (call == 0)
		must(told(text, free(opaque(p))));
	if (call == 1)
		must(told(text, p = realloc(opaque(p), 10)));
	if (call == 2)
		must(told(text, malloc_usable_size(opaque(p))));
	if (call == 3)
		must(told(text, free_sized(opaque(p), 100)));
	must(code == SIGABRT);
}

TEST_TAGS(freed_again, HARDENED)
{
	static const char *const verbs[] = { "free", "realloc",
					     "malloc_usable_size",
					     "free_sized" };

	faults_catch();
	for (int i = 0; i < 4; i++) {
		void *p = malloc(100), *q = malloc(100);

		free(p);
		free(q);
		must_be_named(verbs[i], p, i);
		must_be_named(verbs[i], q, i);
	}
}

/* Even one that only has another colour. */
TEST_TAGS(forged, HARDENED)
{
	char *p = malloc(100);

	faults_catch();
	must_be_coloured(plain(p), p);
	must(!reads(p));
	free(p);
}

TEST_TAGS(realloc_in_place, HARDENED)
{
	char *p = malloc(130), *q;

	faults_catch();
	memset(p, 5, 130);
	q = realloc(p, 100);
	must(q == p && malloc_usable_size(p) == 100 && p[99] == 5);
	must(reads(q + 112) == CODE_AT_ONCE);
	q = realloc(q, 129);
	must(q == p && !writes(q + 128));
	must(reads(q + 144) == CODE_AT_ONCE);
	errno = 0;
	must(!realloc(q, PTRDIFF_MAX / 4) && errno == ENOMEM);
	must(q[99] == 5 && !writes(q + 128));
	free(q);
	must(reads(q) == CODE_AT_ONCE);
}

/* From object to object, to a run and back. */
TEST_TAGS(realloc_moves, HARDENED)
{
	faults_catch();
	FOR_SIZES(n) {
		char *p = malloc(n), *q;

		pattern_fill(p, n, n);
		q = realloc(p, 3 * n);
		must(q && pattern_holds(q, n, n));
		must(q == p || reads(p) == CODE_AT_ONCE);
		p = realloc(q, n);
		must(p && pattern_holds(p, n, n));
		must(reads(p + whole(n)) == CODE_AT_ONCE || n > 32768);
		free(p);
	}
}

/* The kernel reaches a block as the program does. */
TEST_TAGS(system_calls, HARDENED)
{
	int fd = memfd_create("blocks", MFD_CLOEXEC);
	char *p = malloc(100), *q = calloc(1, 100);

	memset(p, 3, 100);
	must(write(fd, p, 100) == 100);
	must(pread(fd, q, 100, 0) == 100 && q[99] == 3);
	free(q);
	must(is_emulated() || (pread(fd, q, 100, 0) < 0 && errno == EFAULT));
}

static void must_see_all(char *p)
{
	char *q = malloc(100);

	must(!reads(p) && !writes(p + 99));
	must(writes(p + 112) == CODE_AT_ONCE);
	must(!writes(q + 99) && reads(q + 112) == CODE_AT_ONCE);
	free(q);
	must(reads(q) == CODE_AT_ONCE);
}

TEST_TAGS(fork_child, HARDENED)
{
	char *p = malloc(100);

	faults_catch();
	child_passes(must_see_all(p);
		     free(p);
		     must(reads(p) == CODE_AT_ONCE));
	must_see_all(p);
}

static void *see_all(void *p)
{
	must_see_all(p);
	return NULL;
}

/* Lets the heap have more memory than churn() needs. */
static void heap_grow(void)
{
	static char *blocks[256];

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		must(blocks[i] = malloc(250000));
	free_each(blocks);
}

static uint64_t nr_changes(void)
{
	struct lanemalloc_stats s = stats_now();

	return s.committed_size + s.nr_purges + s.slab_purged_size;
}

static size_t churn_most = MIB;

static void *churn(void *arg)
{
	blocks_churn((uintptr_t)arg, 5000, churn_most);
	return NULL;
}

/* qemu-user before 8.0 makes the room for a page's colours when the first is
 * read or written, without a lock: of two threads that do that at once one
 * loses what it gave. There one thread looks at all pages before the others
 * come. The options of the first line let no free memory be purged after that,
 * and small blocks none of their own, as runs are when they are freed. */
static void churn_emulated(void)
{
	uint64_t before;

	heap_grow();
	pages_look(malloc(1), stats_now().committed_size);
	before = nr_changes();
	churn_most = 16000;
	threads_run(4, churn);
	must(nr_changes() == before);
}

TEST_TAGS(threads, "hardened=1,purge_budget=1g,purge_delay=3600000", HARDENED,
	  "hardened=1,quarantine=64k", "hardened=1,purge_delay=0")
{
	faults_catch();
	for (int i = 0; i < 8; i++)
		thread_run(see_all, malloc(100));
	if (is_emulated())
		churn_emulated();
	else
		threads_run(4, churn);
}

static char *volatile kept[16];

static void on_timer(int signal)
{
	static unsigned turn;
	unsigned i = turn++ % 16;
	char *p = kept[i];

	(void)signal;
	must(!p || (p[0] == 9 && malloc_usable_size(p) == 40 + i));
	free(p);
	p = malloc(40 + i);
	p[0] = 9;
	kept[i] = p;
}

/* In the middle of anything, also of what reads by plain pointers. */
TEST_TAGS(handlers, HARDENED)
{
	struct sigaction action = { .sa_handler = on_timer,
				    .sa_flags = SA_RESTART };
	struct itimerval every = { { 0, 500 }, { 0, 500 } };
	char *p = NULL;

	must(!sigaction(SIGALRM, &action, NULL));
	must(!setitimer(ITIMER_REAL, &every, NULL));
	for (size_t i = 0; i < 30000; i++) {
		p = realloc(p, 1 + i * 37 % 3000);
		must(p && malloc_usable_size(p) == 1 + i * 37 % 3000);
		*p = 1;
	}
	free(p);
}

/* A handler inside of such a call is checked, as is what follows it. */
static void on_user(int signal)
{
	(void)signal;
	must(writes((char *)kept[0] + 48) == CODE_AT_ONCE);
}

TEST_TAGS(handler_is_checked, HARDENED)
{
	faults_catch();
	kept[0] = malloc(40);
	signal(SIGUSR1, on_user);
	for (int i = 0; i < 100; i++)
		raise(SIGUSR1);
	must(!writes(kept[0]) && reads(kept[0] + 48) == CODE_AT_ONCE);
}

/* The kernel says so later, at the next system call at the latest. */
TEST_TAGS(async, "hardened=1,mte=async")
{
	char *p = malloc(100);

	faults_catch();
	must(fault_of(((volatile char *)opaque(p))[112] = 1;
		      for (int i = 0; i < 1000; i++) getppid()) == CODE_LATE);
}

TEST_TAGS(off, "hardened=1,mte=off", "hardened=0,mte=sync",
	  "checks=full,hardened=1")
{
	char *p = malloc(100);

	must(!colour_of(p));
	free(p);
}

static bool told_at(const char *kind, char *at, const char *place,
		    const char *said)
{
	static const char *const ways[] = { "read of", "write to",
					    "access to" };
	char text[256];

	for (size_t i = 0; i < 3; i++) {
		snprintf(text, sizeof(text),
			 "lanemalloc: %s: %s %p, %s\n"
			 "lanemalloc:   accessed by thread ",
			 kind, ways[i], (void *)at, place);
		if (!strncmp(said, text, strlen(text)) && strstr(said, "#0 "))
			return true;
	}
	return false;
}

static void must_be_told(char *at, const char *kind, const char *place)
{
	static struct capture said;
	int got;

	capture_begin(&said);
	got = writes(at);
	if (!told_at(kind, at, place, capture_end(&said)))
		dprintf(2, "wanted %s, %s; got: %s\n", kind, place, said.text);
	must(got == CODE_AT_ONCE && told_at(kind, at, place, said.text));
}

TEST_TAGS(reports, HARDENED)
{
	char *blocks[32], *p = malloc(100);

	while (!((uintptr_t)(p + 112) % 4096))
		p = malloc(100);
	faults_catch();
	must_be_told(p + 112, "overflow",
		     "0 bytes right of a block of up to 112 bytes");
	must_be_told(p + 117, "overflow",
		     "5 bytes right of a block of up to 112 bytes");
	for (int i = 0; i < 32; i++)
		blocks[i] = malloc(100);
	for (int i = 0; i < 32; i++)
		if ((uintptr_t)blocks[i] % 4096 >= 112 &&
		    colour_of(blocks[i]) >= 14)
			must_be_told(blocks[i] - 8, "underflow",
				     "8 bytes left of a block of up to 112 "
				     "bytes");
	free(p);
	must_be_told(p + 7, "use after free",
		     "7 bytes into an object of 112 bytes");
}

/* A guarded block is told of whatever the pointer's colour is. */
TEST_TAGS(guarded, "hardened=1,guard=1,profile_interval=1")
{
	static struct capture said;
	char *p = malloc(4096), *end = p + 4096;
	int got;

	faults_catch();
	must(!colour_of(p));
	end = (char *)((uintptr_t)end | (uintptr_t)5 << COLOUR_SHIFT);
	capture_begin(&said);
	got = reads(end);
	capture_end(&said);
	/* The emulator takes the advice for a guard, and places none. */
	must(is_emulated() ||
	     (got && strstr(said.text, "lanemalloc: overflow: read of ")));
}

/* Where threads were there before the library nothing has a colour, as their
 * system calls would refuse it. */
typedef void *malloc_fn(size_t);
typedef void free_fn(void *);

static malloc_fn *late_malloc;
static free_fn *late_free;

static void library_open(void)
{
	void *library = dlopen(getenv("LANEMALLOC_SO"), RTLD_NOW | RTLD_LOCAL);

	must(library);
	late_malloc = (malloc_fn *)dlsym(library, "malloc");
	late_free = (free_fn *)dlsym(library, "free");
}

static void *open_there(void *arg)
{
	(void)arg;
	library_open();
	return NULL;
}

static void must_pass(int fd)
{
	char *p = late_malloc(100);

	memset(p, 1, 100);
	must(pwrite(fd, p, 100, 0) == 100);
	late_free(p);
}

ROLE(late_with_threads)
{
	int fd = memfd_create("blocks", MFD_CLOEXEC);
	char *p;

	thread_run(open_there, NULL);
	p = late_malloc(100);
	must(!colour_of(p));
	late_free(p);
	must_pass(fd);
}

ROLE(late)
{
	int fd = memfd_create("blocks", MFD_CLOEXEC);
	char *p;

	faults_catch();
	library_open();
	p = late_malloc(100);
	must(colour_of(p) && reads(p + 112) == CODE_AT_ONCE);
	late_free(p);
	must_pass(fd);
}

static void without_preload(void)
{
	must(!setenv("LANEMALLOC_SO", library_path(), 1));
	must(!unsetenv("LD_PRELOAD"));
}

TEST_WHERE(has_tags() && have_lane(), late_passes)
{
	child.prepare = without_preload;
	role_runs("late", "hardened=1");
	role_runs("late_with_threads", "hardened=1");
	child.prepare = NULL;
}

API_MAIN(NULL, NULL)
