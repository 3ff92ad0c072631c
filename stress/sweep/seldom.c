/* seldom: the part of the load that comes once or twice in a run: failing
 * requests, foreign blocks, statistics, large blocks, purges, memory that ends;
 * and what libc's own locks allow only one thread to do: new threads, vfork,
 * the loader
 */
#include "sweep.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "load.h"
#include "names.h"
#include "../harness/raw.h"

static FILE *nowhere;

/* Without a C++ runtime the operators ask the loader for one, which has a
 * lock: of that only one thread may stop, and no fork's child may need it. */
static void do_failing_operators(const struct worker *w)
{
	unsigned i;

	if (w->index != 0 || stop.mode == 'e')
		return;
	if (scenario_throw)
		scenario_throw();
	for (i = 0; i < NR_OPERATORS; i++)
		if (operators[i].new_nothrow && operators[i].new_found)
			names_new(&operators[i], SIZE_MAX / 3, 64);
}

static void do_failing(struct worker *w)
{
	volatile size_t huge = SIZE_MAX, odd = 3;
	void *at = &at;

	do_failing_operators(w);
	free(valloc(huge - 10));
	if (names.pvalloc)
		free(names.pvalloc(huge / 2));
	free(aligned_alloc(64, huge / 2));
	if (!posix_memalign(&at, 64, huge / 2))
		child_fail(UNSOUND, "a block larger than memory");
	at = &at;

	free(malloc(huge));
	free(malloc(huge / 2 - 100));
	free(malloc((size_t)1 << 45));
	free(calloc(huge / 2, 3));
	free(memalign(64, huge - 100));
	free(memalign(huge, 100));
	free(aligned_alloc(odd, 100));
	if (!posix_memalign(&at, 3, 100) || at != &at ||
	    (names.stats && !posix_memalign(&at, 0, 100)))
		child_fail(UNSOUND, "posix_memalign with a wrong alignment");
	at = malloc(100);
	if (at && realloc(at, huge / 2 + 1))
		child_fail(UNSOUND, "a realloc too large for any memory");
	free(at);
	at = malloc(100 * KIB);
	if (at && (realloc(at, huge / 2 + 1) || realloc(at, huge)))
		child_fail(UNSOUND, "a realloc too large for any memory");
	free(at);
	errno = 0;
}

static void do_edges(struct worker *w)
{
	void *at;

	free(NULL);
	if (malloc_usable_size(NULL))
		child_fail(UNSOUND, "malloc_usable_size of NULL");
	at = realloc(NULL, 100);
	at = realloc(at, 0);
	free(at);
	free(malloc(0));
	free(valloc(100));
	if (names.pvalloc)
		free(names.pvalloc(5000));
	if (names.cfree)
		names.cfree(malloc(40));
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(12345, 1);
	if (names.free_sized) {
		names.free_sized(NULL, 0);
		names.free_aligned_sized(NULL, 16, 0);
	}
	(void)w;
}

static void do_foreign_deletes(void)
{
	unsigned i;

	for (i = 0; i < NR_OPERATORS; i++)
		if (operators[i].delete_found)
			names_delete(&operators[i], names.libc_malloc(100), 100,
				     16);
	if (names.free_sized)
		names.free_sized(names.libc_malloc(70), 70);
	if (names.free_aligned_sized)
		names.free_aligned_sized(names.libc_malloc(80), 16, 80);
}

static void do_foreign(struct worker *w)
{
	void *at;

	if (!names.libc_malloc || !w->foreign || w->left)
		return;
	free(names.libc_malloc(100));
	free(names.libc_malloc(1 * MIB));
	at = names.libc_malloc(200);
	if (malloc_usable_size(at) < 200)
		child_fail(UNSOUND, "the usable size of a foreign block");
	at = realloc(at, 300);
	free(at);
	at = realloc(names.libc_malloc(50), 0);
	free(at);
	do_foreign_deletes();
}

/* What the library's own messages use of its formats, and more; and what the
 * compiler may call. */
static void do_seldom_internals(void)
{
	char buf[64], small[4], longer[3000];

	if (names.format) {
		names.format(small, sizeof(small), "%s", "longer than that");
		names.format(buf, sizeof(buf), "%d %ld %u %lu %x %lx %zu %c %p",
			     -1, -2L, 3u, 4ul, 5u, 6ul, (size_t)7, 'c', buf);
		names.format(buf, sizeof(buf), "%ld %d %lu %u %lx %x %d %u %x",
			     1L, 2, 3ul, 4u, 5ul, 6u, 7, 8u, 9u, 0.5);
		names.format(buf, sizeof(buf), "%d%d%d%d %.*s %ld", 1, 2, 3, 4,
			     2, "text", -1L);
		names.format(buf, sizeof(buf), "%x %lx %c %lq", 1u, 2ul, 'c');
		names.format(buf, sizeof(buf), "%.*s %.*s %% %q", 2, "text", -1,
			     "text");
	}
	if (!names.move)
		return;
	memset(longer, 1, sizeof(longer));
	names.move(longer, longer + 8, sizeof(longer) - 8);
	memset(buf, 1, sizeof(buf));
	names.move(buf, buf + 3, 40);
	names.move(buf + 3, buf, 40);
}

/* A thread that is stopped leaves a file that is not whole. */
static void do_profile(void)
{
	const char *folder = getenv("TMPDIR");
	char path[128];

	if (!names.profile_dump)
		return;
	snprintf(path, sizeof(path), "%.80s/sweep.%d.%s",
		 folder ? folder : "/tmp", gettid(),
		 gettid() % 2 ? "heap" : "pb.gz");
	names.profile_dump(path);
	unlink(path);
	/* A device, and a link to what is no stream. */
	names.profile_dump("/dev/null");
	names.profile_dump("/proc/self/exe");
	if (gettid() % 4)
		return;
	names.profile_stop();
	names.profile_start();
}

static void do_stats(struct worker *w)
{
	static const size_t sizes[] = { 0, 40, 400, 4000 };
	struct lanemalloc_stats s;
	struct {
		struct lanemalloc_stats s;
		char more[64];
	} newer;
	char buf[4000];
	const char *why;
	size_t i;

	(void)w;
	if (!names.stats)
		return;
	for (i = 0; i < 4; i++)
		names.stats_json(buf, sizes[i]);
	for (i = 0; i < 24; i++)
		names.stats(&s, i);
	names.stats(&s, sizeof(s));
	names.stats(&s, 24);
	names.stats(&newer.s, sizeof(newer));
	names.mode(&why);
	names.mode(NULL);
	names.version();
	do_seldom_internals();
	do_profile();
}

/* Blocks of some MiB, which grow in place, move by their pages, shrink. */
static void do_huge(struct worker *w)
{
	struct block *slot = slot_empty(w), *other = slot_empty(w);
	static const size_t all[] = { 1, 2, 5, 13, 10, 9, 5 };
	size_t size, n = w->index == 0 ? 7 : 3; /* they cost time */
	unsigned char *at;

	if (slot == other)
		return;
	slot_alloc(w, slot, 4 * MIB + 100);
	slot_alloc(w, other, 65 * KIB);
	while (n-- && slot->at) {
		struct block old = *slot;

		size = all[n] * MIB;

		let_go(w, slot);
		w->hand[1] = (struct block){ NULL, size, 0 };
		at = realloc(old.at, size);
		w->hand[1] = (struct block){ 0 };
		slot_fill(w, slot, at ? at : old.at, at ? size : old.size);
	}
	slot_free(w, slot);
	slot_free(w, other);
	/* Within its units, over the page that may be a guard. */
	free(realloc(malloc(300 * KIB), 320 * KIB - 100));
}

static void do_vast(struct worker *w)
{
	expect(w, 150 * MIB);
	free(malloc(150 * MIB));
	expect(w, 40 * MIB);
	free(memalign(32 * MIB, 20 * MIB));
	w->hand[0] = (struct block){ 0 };
}

/* Of so many a class of their own is made, out of that of 12 KiB. */
#define FITTED_SIZE 10300

static void slots_fill(struct worker *w, unsigned i, size_t size)
{
	for (; i < NR_SLOTS && (!i || w->slots[i - 1].at); i++)
		slot_alloc(w, &w->slots[i], size);
}

static void slots_free(struct worker *w)
{
	unsigned i;

	for (i = 0; i < NR_SLOTS; i++)
		slot_free(w, &w->slots[i]);
}

/* Less and less, until there is not a unit left; then small blocks, of which
 * some are still free. */
static void seldom_exhaust(struct worker *w)
{
	static const size_t sizes[] = { 4 * MIB, 1 * MIB, 128 * KIB, 32 * KIB };
	unsigned i, k = 0;

	slots_free(w);
	slots_fill(w, 0, FITTED_SIZE);
	slots_free(w);
	for (i = 0; i < NR_SLOTS / 2 && k < 4; i++) {
		slot_alloc(w, &w->slots[i], sizes[k]);
		k += !w->slots[i].at || i % 40 == 39;
	}
	for (k = 16; k <= 256 * KIB; k *= 2, i++)
		slot_alloc(w, &w->slots[i], k);
	slot_alloc(w, &w->slots[i], FITTED_SIZE);
	slots_fill(w, i + 1, FITTED_SIZE);
	slots_free(w);
}

ONE(do_purge, load_purge())
ONE(do_mallinfo, mallinfo2(); names.mallinfo())
ONE(do_trim, malloc_trim(4096))
ONE(do_tiny, do_burst(w, load_below(w, 2) ? 16 : 8, 250))
ONE(do_medium, do_burst(w, 24 * KIB, 40))

static void do_prints(struct worker *w)
{
	if (w->index)
		return;
	malloc_stats();
	malloc_info(0, nowhere);
	malloc_info(1, nowhere);
}

static void (*const seldom[NR_SELDOM])(struct worker *w) = {
	do_purge,   do_stats,  do_mallinfo, do_trim, do_prints, do_edges,
	do_failing, do_foreign, do_huge,    do_vast, do_tiny,	do_medium,
	asks_do,    amiss_do,
};

/* ---- the first worker's own: what libc's locks allow only one ---- */

static int short_thread(void *arg)
{
	free(malloc(100));
	(void)arg;
	return 0;
}

static int short_child(void *arg)
{
	free(malloc(100));
	(void)arg;
	_exit(0);
}

/* With memory of its own: whoever stops there stops nobody here. */
static int apart_child(void *arg)
{
	stop_ignore();
	if (rights_are_known())
		rights_ask();
	return short_child(arg);
}

/* libc has a lock for its list of stacks, the loader some more: a fork that
 * copies one while it is held makes a child in which no thread can be started.
 * The victim that forks and the first worker, which alone takes them, each say
 * what they are about to do and then look at the other: the worker gives way.
 */
static _Atomic(bool) in_libc;
static _Atomic(unsigned) forks; /* how many victims do */

static void seldom_fork_begins(const struct worker *w)
{
	if (w->index == 0)
		return;
	atomic_fetch_add(&forks, 1);
	while (atomic_load(&in_libc))
		raw_sleep_us(100);
}

static void seldom_fork_ends(const struct worker *w)
{
	if (w->index != 0)
		atomic_fetch_sub(&forks, 1);
}

static void enter_libc(void)
{
	atomic_store(&in_libc, true);
	while (atomic_load(&forks)) {
		atomic_store(&in_libc, false);
		raw_sleep_us(100);
		atomic_store(&in_libc, true);
	}
}

static void leave_libc(void)
{
	atomic_store(&in_libc, false);
}

/* Its end takes that lock, too; but where a victim never comes back, nobody
 * may wait for it. */
static void start_short_thread(void)
{
	thrd_t thread;

	if (thrd_create(&thread, short_thread, NULL) != thrd_success)
		return;
	if (stop.mode == 'e')
		thrd_join(thread, NULL);
	else
		thrd_detach(thread);
}

static void start_late_worker(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	enter_libc();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * KIB);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (!pthread_create(&thread, &attr, load_run, &workers[3]))
		atomic_store(&late_worker_runs, true);
	start_short_thread();
	leave_libc();
}

static void do_vfork(const struct worker *w)
{
	int status;
	pid_t child = vfork();

	if (!child) {
		free(malloc(1000));
		if (w->rights)
			rights_enter_in_child();
		_exit(0);
	}
	if (child > 0)
		waitpid(child, &status, 0);
}

static void do_clone(void)
{
	static char stack[64 * 1024] __attribute__((aligned(16)));
	int status;
	pid_t child = clone(short_child, stack + sizeof(stack),
			    CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);

	if (child > 0)
		waitpid(child, &status, 0);
	/* One with memory of its own; one that the kernel refuses. */
	child = clone(apart_child, stack + sizeof(stack), SIGCHLD, NULL);
	if (child > 0)
		waitpid(child, &status, 0);
	clone(short_child, stack + sizeof(stack), CLONE_VM | CLONE_THREAD,
	      NULL);
}

static void load_libc_again(void)
{
	enter_libc();
	dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD | RTLD_DEEPBIND);
	dlmopen(LM_ID_BASE, "libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	rights_keep();
	leave_libc();
}

/* A helper is there from a quarter on. */
static void seldom_rights(struct worker *w)
{
	if (w->step == w->nr_steps / 4 + 10 || w->step == w->nr_steps / 2 + 60)
		rights_change(w);
	if (w->step == w->nr_steps - 90)
		rights_enter_filter(w);
	if (w->step == w->nr_steps - 40)
		rights_enter_strict(w);
}

static void seldom_do_first(struct worker *w)
{
	if (w->constructors && w->step == 1) {
		w->foreign = text_run_array(false);
		atomic_store(&amiss_is_caught, w->foreign);
	}
	if (w->close_stderr && w->step == w->nr_steps - 2)
		close(2);
	if (w->constructors && w->step == w->nr_steps - 1)
		text_run_array(true);
	if (w->step == w->nr_steps / 4)
		start_late_worker();
	if (w->rights)
		seldom_rights(w);
	if (w->step == w->nr_steps / 2 || w->step == w->nr_steps - 20)
		do_vfork(w);
	if (w->step == w->nr_steps / 2 + 20)
		do_clone();
	if (w->step == w->nr_steps / 2 + 40) {
		load_libc_again();
		/* Where it may have no helper, or never had. */
		load_helper_wait(w);
		if (!w->linger)
			rights_ask();
		load_helper_came(w);
		if (names.reclaimer_start)
			names.reclaimer_start();
	}
}

void seldom_open(void)
{
	nowhere = fopen("/dev/null", "we");
	if (!nowhere)
		die("no /dev/null");
	setvbuf(nowhere, NULL, _IONBF, 0);
}

const struct load_parts seldom_parts = {
	.seldom = seldom,
	.exhaust = seldom_exhaust,
	.first = seldom_do_first,
	.fork_begins = seldom_fork_begins,
	.fork_ends = seldom_fork_ends,
};
