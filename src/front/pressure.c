/* layer 5.4: pressure: what is watched, and the helper's service */
#include "front/pressure.h"

#include "base/bits.h"
#include "cpucache/drain.h"
#include "front/limits.h"
#include "front/quarantine.h"
#include "front/relief.h"
#include "system/cgroup.h"
#include "system/config.h"
#include "system/environ.h"
#include "system/helper.h"
#include "system/report.h"
#include "system/sandbox.h"
#include "system/system.h"
#include "system/watch.h"

#define WATCH_MS 1000
#define OPENING ((uint32_t)1 << 31)
#define TEXT_SIZE 512
/* Where the service manager says nothing: a fifth of a second of two. */
#define STALL "some 200000 2000000"

static struct {
	_Atomic(uint32_t) owner;	 /* atomic: a process id, see above */
	_Atomic(uint64_t) next_look;	 /* atomic: hint, ms */
	_Atomic(uint64_t) nr_events;	 /* hint: of the cgroup, seen */
	struct watch stall;		 /* const: the service manager's */
	struct watch events, high, most; /* const: the cgroup's */
} watched;

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
	bool was_beyond = limit_is_passed(limit_soft_size());
	char high[32], most[32];
	long nr_high = watch_read(&watched.high, high, sizeof(high));
	long nr_most = watch_read(&watched.most, most, sizeof(most));

	if (nr_high <= 0 || nr_most <= 0)
		return;
	limit_cgroup(cgroup_number(high, (size_t)nr_high),
		     cgroup_number(most, (size_t)nr_most));
	if (!was_beyond && limit_is_passed(limit_soft_size()))
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
