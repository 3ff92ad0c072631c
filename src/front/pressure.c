/* layer 5.3: pressure: who asks, who serves, what is watched */
#include "front/pressure.h"

#include "base/bits.h"
#include "base/word.h"
#include "cpucache/cpu_cache.h"
#include "cpucache/drain.h"
#include "front/gate.h"
#include "front/quarantine.h"
#include "front/retire.h"
#include "pageheap/budget.h"
#include "pageheap/page_heap.h"
#include "pageheap/request.h"
#include "slab/collect.h"
#include "system/cgroup.h"
#include "system/config.h"
#include "system/environ.h"
#include "system/helper.h"
#include "system/report.h"
#include "system/sandbox.h"
#include "system/system.h"
#include "system/watch.h"

#define PASS_MS 100
#define WATCH_MS 1000
#define OPENING ((uint32_t)1 << 31)
#define TEXT_SIZE 512
#define TOLD_SECONDS 60 /* between two lines about refusals */
/* Where the service manager says nothing: a fifth of a second of two. */
#define STALL "some 200000 2000000"

static struct {
	_Atomic(uint32_t) owner;	 /* atomic: a process id, see above */
	_Atomic(uint64_t) next_look;	 /* atomic: hint, ms */
	_Atomic(uint64_t) nr_events;	 /* hint: of the cgroup, seen */
	struct watch stall;		 /* const: the service manager's */
	struct watch events, high, most; /* const: the cgroup's */
} watched;

_Atomic(uint32_t) pressure_waits;
static _Atomic(uint64_t) next_pass;	      /* atomic: hint, ms */
static _Atomic(uint64_t) nr_requests_refused; /* counter: requests */

/* The last line about a refusal: of which process, and when. */
struct told {
	uint32_t pid;
	uint32_t seconds;
};
WORD(told, uint64_t);
static _Atomic(uint64_t) last_told;	 /* atomic: struct told */
static _Atomic(uint64_t) stderr_file;	 /* hint: as a limit was set */
static _Atomic(uint32_t) limits_started; /* hint: as the options say */

/* Limits */

static void limit_cgroup(uint64_t high, uint64_t most)
{
	uint64_t soft = cgroup_soft_size(high, most);

	store_relaxed(&limit.cgroup_size, soft); // own: one word
}

/* What the program has set stays: it may be faster than a racer that began
 * before, or than who runs below its handler. */
static void limit_begin(_Atomic(uint64_t) *word, uint64_t size)
{
	uint64_t none = 0;

	cas_relaxed(word, &none, size); // own: one word
}

/* Keeps what stderr is where there is a limit: a program that closes it gets
 * the number 2 for the next file that it opens. */
static void stderr_note(uint64_t hard)
{
	if (!hard || !config.limit_report ||
	    !sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return;
	store_relaxed(&stderr_file, system_stderr_file());
	sandbox_rare_done();
}

/* Racers store the same; a later call stores nothing. */
void pressure_start(void)
{
	struct cgroup group;
	bool found = false;

	if (load_relaxed(&limits_started))
		return;
	limit_begin(&limit.soft_size, config.limit_soft);
	limit_begin(&limit.hard_size, config.limit_hard);
	stderr_note(config.limit_hard);
	if (config.limit == CGROUP_LIMIT_AUTO)
		found = cgroup_find_root(&group);
	else if (config.limit == CGROUP_LIMIT_OWN)
		found = cgroup_find_own(&group);
	if (found)
		limit_cgroup(group.high, group.most);
	store_relaxed(&limits_started, 1);
}

static bool is_beyond(uint64_t size)
{
	return budget_resident_size() >> UNIT_SHIFT > limit_units(size);
}

/* Service */

/* Makes units free of what lies in caches and slabs. With the caller's area;
 * NULL: it has none, and what CPUs hold stays. */
static size_t slabs_relieve(struct rseq_area *self)
{
	size_t done = 0;

	if (gate_is_open())
		done = drain_caches(self, false);
	return done + bin_collect_all(COLLECT_ALL, COLLECT_AGE_ANY);
}

static size_t relieve(struct rseq_area *self)
{
	size_t done = slabs_relieve(self);

	return done + page_heap_relieve();
}

/* A program's thread also has what its own CPU holds, where no drain is. */
static void flush_here(void)
{
	if (gate_is_open())
		cpu_cache_flush_own();
}

/* And what waits in the quarantine. */
static void relieve_here(void)
{
	heap_quarantine_flush();
	flush_here();
	relieve(rseq_self());
}

size_t heap_purge(size_t keep_size)
{
	uint64_t before;

	flush_here();
	before = collect_purged_size();
	slabs_relieve(rseq_self());
	return (size_t)(collect_purged_size() - before) +
	       page_heap_purge(keep_size, SIZE_MAX);
}

static bool pass_elect(void)
{
	uint64_t due = load_relaxed(&next_pass), now = system_now_ms();

	return now >= due && cas_relaxed(&next_pass, &due, now + PASS_MS);
}

void pressure_pass_asked(void)
{
	bool asked = limit_is_asked();
	bool waits = asked ? quarantine_may_hold() :
			     load_relaxed(&pressure_waits);
	bool elected = waits && pass_elect();

	if (elected) {
		store_relaxed(&pressure_waits, 0);
		heap_quarantine_flush();
	}
	if (!asked || request_purge() || (!elected && !pass_elect()) ||
	    !limit_take_asked())
		return;
	relieve_here();
}

/* Asks, and serves what is asked. */
static void pressure_now(enum limit_reason reason)
{
	limit_ask(reason);
	if (limit_take_asked())
		relieve_here();
}

/* What is to go back, and what cannot. */
static void below_tell(const char *name, uint64_t size)
{
	if (config.verbose)
		report_line("pid %d: %s=%lu is set below the %lu bytes of "
			    "units that it has",
			    system_getpid(), name, size,
			    (budget_resident_size() >> UNIT_SHIFT) *
				    LIMIT_UNIT_SIZE);
}

static void limits_apply(uint64_t hard)
{
	if (is_beyond(hard)) {
		below_tell("limit_hard", hard);
		pressure_now(LIMIT_HARD);
	} else if (is_beyond(limit_soft_size())) {
		below_tell("limit_soft", limit_soft_size());
		pressure_now(LIMIT_SOFT);
	}
}

void pressure_limit(const struct lanemalloc_limits *set,
		    struct lanemalloc_limits *now)
{
	if (set) {
		store_relaxed(&limit.soft_size, set->soft_size); // own
		store_relaxed(&limit.hard_size, set->hard_size); // own
		stderr_note(set->hard_size);
		limits_apply(set->hard_size);
	}
	*now = (struct lanemalloc_limits){
		.soft_size = load_relaxed(&limit.soft_size), // own
		.hard_size = load_relaxed(&limit.hard_size), // own
	};
}

/* Refusals */

/* The child of a fork has its parent's word, and a line of its own to say. */
static bool refusal_elect(uint32_t pid)
{
	uint32_t now = (uint32_t)(system_now_ms() / 1000);
	uint64_t word = load_relaxed(&last_told); // own: one word
	struct told last = told_unpack(word);

	if (last.pid == pid && now - last.seconds < TOLD_SECONDS)
		return false;
	last = (struct told){ pid, now };
	return cas_relaxed(&last_told, &word, told_pack(last)); // own
}

/* Whether it is still what the operator reads, or a log that took its place. */
static bool stderr_is_sound(void)
{
	return system_stderr_takes() &&
	       (system_stderr_appends() ||
		system_stderr_file() == load_relaxed(&stderr_file));
}

/* A vfork child's id in the word would make its parent tell once more. */
static void refusal_tell(size_t size, uint64_t nr)
{
	int pid = system_getpid();

	if (sandbox_in_vfork() || !stderr_is_sound() ||
	    !refusal_elect((uint32_t)pid))
		return;
	report_line("pid %d: limit_hard=%lu refuses a request of %zu bytes; "
		    "requests refused since start: %lu",
		    pid, load_relaxed(&limit.hard_size), // own: one word
		    size, nr);
}

/* Whether it is the limit that has no room for such a block, guard page or
 * footer and all. */
static bool limit_is_in_the_way(size_t size)
{
	size_t nr = div_up(size + system_page_size(), UNIT_SIZE);

	return !budget_has_room((uint32_t)min_size(nr, LIMIT_NO_UNITS / 2));
}

cold void pressure_refused(size_t size)
{
	uint64_t nr;

	if (!limit_is_in_the_way(size))
		return;
	nr = add_relaxed(&nr_requests_refused, 1) + 1;
	if (!config.limit_report || !sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return;
	refusal_tell(size, nr);
	sandbox_rare_done();
}

/* Watches */

static void watch_file_of(struct watch *watch, const struct cgroup *group,
			  const char *name)
{
	char path[CGROUP_PATH_SIZE + 32];

	report_format(path, sizeof(path), "%s/%s", group->path, name);
	watch_open_file(watch, path);
}

static void open_cgroup(const struct cgroup *group)
{
	watch_file_of(&watched.events, group, "memory.events");
	watch_file_of(&watched.high, group, "memory.high");
	watch_file_of(&watched.most, group, "memory.max");
}

/* Watches what the service manager says, in its words; else the cgroup's own
 * file. */
static void open_stall(const struct cgroup *group)
{
	char path[CGROUP_PATH_SIZE + 32], text[TEXT_SIZE];
	const char *said = environ_find("MEMORY_PRESSURE_WATCH");
	const char *what = environ_find("MEMORY_PRESSURE_WRITE");
	long size = 0;

	if (said && !__builtin_strcmp(said, "/dev/null"))
		return;
	if (said && what)
		size = environ_decode(what, text, sizeof(text));
	if (size < 0)
		return;
	if (said) {
		watch_open(&watched.stall, said, text, (size_t)size);
		return;
	}
	if (!group->path[0])
		return;
	report_format(path, sizeof(path), "%s/memory.pressure", group->path);
	watch_open(&watched.stall, path, STALL, sizeof(STALL));
}

static void close_all(void)
{
	watch_close(&watched.stall);
	watch_close(&watched.events);
	watch_close(&watched.high);
	watch_close(&watched.most);
}

static void open_all(void)
{
	struct cgroup group = { 0 };

	close_all();
	cgroup_find_own(&group);
	if (config.limit == CGROUP_LIMIT_OWN && group.path[0])
		open_cgroup(&group);
	if (config.pressure)
		open_stall(&group);
}

static bool wants_watch(void)
{
	return config.reclaimer &&
	       (config.pressure || config.limit == CGROUP_LIMIT_OWN);
}

/* Opens the watches, once for this process. */
static void watch_all(void)
{
	uint32_t pid = (uint32_t)system_getpid();
	uint32_t owner = load_relaxed(&watched.owner); // hint

	// own: the winner alone opens
	if ((owner & ~OPENING) == pid ||
	    !cas_relaxed(&watched.owner, &owner, pid | OPENING))
		return;
	open_all();
	// [watched.owner] with watched_here(): the watches
	store_release(&watched.owner, pid);
}

void pressure_watch(void)
{
	if (!wants_watch() || !sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return;
	watch_all();
	sandbox_rare_done();
}

/* Whether this process watches: the child of a fork does not, until it creates
 * a thread. */
static bool watched_here(void)
{
	// [watched.owner] with pressure_watch(): the watches
	uint32_t owner = load_acquire(&watched.owner);

	return owner && owner == (uint32_t)system_getpid();
}

bool pressure_is_watched(void)
{
	return wants_watch() && !sandbox_known() && watched_here() &&
	       (watch_is_open(&watched.stall) ||
		watch_is_open(&watched.events));
}

uint64_t pressure_sleep_ms(uint64_t most)
{
	return pressure_is_watched() ? min_size(most, WATCH_MS) : most;
}

/* Reads the limits as they are now. One that was lowered below what is in use
 * no take passes any more, so it is asked for here. */
static void look_at_limits(void)
{
	bool was_beyond = is_beyond(limit_soft_size());
	char high[32], most[32];
	long nr_high = watch_read(&watched.high, high, sizeof(high));
	long nr_most = watch_read(&watched.most, most, sizeof(most));

	if (nr_high <= 0 || nr_most <= 0)
		return;
	limit_cgroup(cgroup_number(high, (size_t)nr_high),
		     cgroup_number(most, (size_t)nr_most));
	if (!was_beyond && is_beyond(limit_soft_size()))
		limit_ask(LIMIT_CGROUP);
}

/* The first look only learns what was there before. */
static void look_at_events(void)
{
	char text[TEXT_SIZE];
	long size = watch_read(&watched.events, text, sizeof(text));
	uint64_t seen, now;

	if (size <= 0)
		return;
	now = 1 + cgroup_nr_events(text, (size_t)size);
	seen = take_relaxed(&watched.nr_events, now);
	if (seen && now != seen)
		limit_ask(LIMIT_CGROUP);
}

static bool look_is_due(void)
{
	uint64_t due = load_relaxed(&watched.next_look);
	uint64_t now = system_now_ms();

	return now >= due &&
	       cas_relaxed(&watched.next_look, &due, now + WATCH_MS);
}

static void look(void)
{
	if (watch_is_open(&watched.stall) && watch_poll(&watched.stall))
		limit_ask(LIMIT_PRESSURE);
	if (!watch_is_open(&watched.events))
		return;
	look_at_limits();
	look_at_events();
}

/* Who has to end may have left a part, for whoever comes next. */
size_t pressure_serve(struct rseq_area *(*self)(void *), void *arg)
{
	enum limit_reason reason;
	size_t done;

	if (pressure_is_watched() && look_is_due())
		look();
	reason = limit_take_asked();
	if (reason == LIMIT_NONE)
		return 0;
	if (quarantine_size())
		store_relaxed(&pressure_waits, 1);
	done = 1 + relieve(drain_finds_any() ? self(arg) : NULL);
	if (unlikely(helper_is_awaited()))
		limit_ask(reason);
	return done;
}
