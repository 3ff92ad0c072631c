/* front/pressure.h: whose limits there are, who serves what is asked, and what
 * the cgroup's files say later; run by hand, without a thread */
#define FOLDER "/tmp/test_pressure.XXXXXX"
#define CGROUP_ROOT cgroup_root
static char cgroup_root[] = FOLDER;
#include "helper_world.h"

#include <sys/stat.h>

#include "front/reclaimer.h"
#include "system/cgroup.c"
#include "front/limits.c"
#include "front/pressure.c"
#include "front/refusal.c"
#include "front/relief.c"

#define DELAY 700

static void file_write(const char *name, const char *content)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", CGROUP_ROOT, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(content, f) >= 0);
	fclose(f);
}

static void files_remove(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", cgroup_root);
	assert_int_equal(system(command), 0);
}

FIXTURE(fresh)
{
	heap_purge(0);
	fake_reset_quiet();
	helper_world_reset();
	memcpy(cgroup_root, FOLDER, sizeof(FOLDER));
	assert_non_null(mkdtemp(cgroup_root));
	fake_file("/proc/self/cgroup", "0::/\n");
	memset(&limit, 0, sizeof(limit));
	memset(&watched, 0, sizeof(watched));
	store_relaxed(&limits_started, 0); // own
	store_relaxed(&next_pass, 0); // own
	config_parse(&config, "limit=off,pressure=off,limit_soft=0,"
			      "limit_hard=0,reclaimer=on,purge_budget=4m");
	config.purge_delay = DELAY;
	helper_prepare();
}

FIXTURE(done)
{
	close_all();
	files_remove();
	config_parse(&config, "limit=off,pressure=off");
	memset(&limit, 0, sizeof(limit));
	helper_forget();
	all_is_free();
}

static struct rseq_area *no_area(void *arg)
{
	(void)arg;
	return NULL;
}

static size_t served(void)
{
	fake_now_ms += WATCH_MS;
	return pressure_serve(no_area, NULL);
}

static void limits_hard(uint64_t size)
{
	store_relaxed(&limit.hard_size, size); // own
	store_relaxed(&last_told, 0);	       // own
	store_relaxed(&nr_requests_refused, 0);	       // own
	stderr_note(size);
}

#define TOLD_BY(pid, nr)                                                  \
	"lanemalloc: pid " pid ": limit_hard=8388608 refuses a request "  \
	"of 6291456 bytes; requests refused since start: " nr "\n"

static enum limit_reason last_reason(void)
{
	return load_relaxed(&limit.last); // own
}

TEST(options_and_container, fresh, done)
{
	file_write("memory.max", "1073741824\n");
	config.limit_soft = 100 * MIB;
	config.limit_hard = 200 * MIB;
	config.limit = CGROUP_LIMIT_AUTO;
	pressure_start();
	assert_int_equal(limit_soft_size(), 100 * MIB);
	assert_int_equal(load_relaxed(&limit.cgroup_size), 896 * MIB); // own
	assert_int_equal(load_relaxed(&limit.hard_size), 200 * MIB); // own
	/* What the program sets stays. */
	store_relaxed(&limit.soft_size, 0); // own
	pressure_start();
	assert_int_equal(limit_soft_size(), 896 * MIB);
}

/* By a handler, or a thread, that came while another one started the heap. */
TEST(what_the_program_set_before_stays, fresh, done)
{
	config.limit_soft = 100 * MIB;
	config.limit_hard = 200 * MIB;
	store_relaxed(&limit.soft_size, 300 * MIB); // own
	store_relaxed(&limit.hard_size, 400 * MIB); // own
	pressure_start();
	assert_int_equal(load_relaxed(&limit.soft_size), 300 * MIB); // own
	assert_int_equal(load_relaxed(&limit.hard_size), 400 * MIB); // own
}

TEST(nothing_by_default_outside_of_containers, fresh, done)
{
	config.limit = CGROUP_LIMIT_AUTO;
	pressure_start();
	assert_int_equal(limit_soft_size(), 0);
	pressure_watch();
	assert_false(pressure_is_watched());
	assert_int_equal(load_relaxed(&watched.owner), 0); // own
}

static void watch_cgroup(void)
{
	file_write("memory.max", "1073741824\n");
	file_write("memory.high", "max\n");
	file_write("memory.events", "low 0\nhigh 7\nmax 0\noom 0\n");
	config.limit = CGROUP_LIMIT_OWN;
	pressure_start();
	pressure_watch();
	assert_true(pressure_is_watched());
}

TEST(the_cgroups_events, fresh, done)
{
	watch_cgroup();
	assert_int_equal(served(), 0);
	assert_int_equal(served(), 0);
	file_write("memory.events", "low 9\nhigh 8\nmax 0\noom 0\n");
	/* Not before the next look. */
	assert_int_equal(pressure_serve(no_area, NULL), 0);
	assert_true(served() > 0);
	assert_int_equal(last_reason(), LIMIT_CGROUP);
	assert_int_equal(served(), 0);
}

TEST(the_cgroups_limits_change, fresh, done)
{
	watch_cgroup();
	assert_int_equal(limit_soft_size(), 896 * MIB);
	file_write("memory.high", "104857600\n");
	served();
	assert_int_equal(limit_soft_size(), 100 * MIB);
	file_write("memory.max", "max\n");
	file_write("memory.high", "max\n");
	served();
	assert_int_equal(limit_soft_size(), 0);
}

/* Below what is in use, which no event need tell of: asked for once. */
TEST(the_cgroups_limit_is_lowered, fresh, done)
{
	char *block = heap_alloc_aligned(64 * MIB, MIB);

	watch_cgroup();
	assert_int_equal(served(), 0);
	file_write("memory.max", "33554432\n");
	assert_true(served() > 0);
	assert_int_equal(last_reason(), LIMIT_CGROUP);
	assert_int_equal(served(), 0);
	heap_free(block);
}

TEST(another_process_watches_nothing, fresh, done)
{
	watch_cgroup();
	fake.pid++;
	assert_false(pressure_is_watched());
	pressure_watch();
	assert_true(pressure_is_watched());
	assert_true(watch_is_open(&watched.events));
}

/* Without a helper a passer serves, once in a while. */
TEST(a_passer_serves, fresh, done)
{
	config.reclaimer = 0;
	config.purge_budget = 1 << 30;
	dirty_freed(8 * MIB);
	assert_true(page_heap_dirty_size() >= 8 * MIB);
	limit_ask(LIMIT_SOFT);
	pressure_pass();
	assert_int_equal(page_heap_dirty_size(), 0);
	assert_false(limit_is_asked());
	dirty_freed(8 * MIB);
	limit_ask(LIMIT_SOFT);
	pressure_pass();
	assert_true(page_heap_dirty_size() >= 8 * MIB);
	fake_now_ms += PASS_MS;
	pressure_pass();
	assert_int_equal(page_heap_dirty_size(), 0);
	assert_int_equal(load_relaxed(&limit.nr_served), 2); // own
}

/* Where one lives it is asked, and serves when it is awake. */
TEST(the_helper_serves, fresh, done)
{
	config.purge_budget = 1 << 30;
	assert_int_equal(reclaimer_start(), 0);
	dirty_freed(8 * MIB);
	limit_ask(LIMIT_SOFT);
	pressure_pass();
	assert_true(page_heap_dirty_size() >= 8 * MIB);
	assert_true(limit_is_asked());
	run_until_sleep(3);
	assert_int_equal(page_heap_dirty_size(), 0);
	assert_int_equal(last_reason(), LIMIT_SOFT);
}

/* It has to end in the middle, and leaves the request to the next. */
TEST(what_an_awaited_helper_leaves, fresh, done)
{
	uint32_t token;
	bool ended;

	config.purge_budget = 1 << 30;
	dirty_freed(8 * MIB);
	token = helper_forbid(&ended);
	limit_ask(LIMIT_PRESSURE);
	assert_true(pressure_serve(no_area, NULL) > 0);
	assert_true(limit_is_asked());
	helper_allow(token);
	assert_true(pressure_serve(no_area, NULL) > 0);
	assert_false(limit_is_asked());
	assert_int_equal(last_reason(), LIMIT_PRESSURE);
	assert_int_equal(page_heap_dirty_size(), 0);
}

/* It stays while something is watched, and wakes for it. */
TEST(the_helper_stays_for_a_watch, fresh, done)
{
	config.purge_delay = 10 * WATCH_MS;
	watch_cgroup();
	assert_int_equal(reclaimer_start(), 0);
	run_until_sleep(200);
	assert_false(has_ended);
	assert_int_equal(sleeps[0].timeout_ms, WATCH_MS);
	close_all();
	run_to_its_end();
	assert_true(has_ended);
}

static __attribute__((noinline)) void *alloc(size_t size)
{
	return heap_alloc(size);
}

/* As a line of the process, once a minute; the child of a fork has its own. */
TEST(a_refusal_is_told, fresh, done)
{
	void *first;

	limits_hard(8 * MIB);
	fake.pid = 1234;
	first = alloc(6 * MIB);
	assert_non_null(first);
	for (unsigned i = 0; i < 3; i++)
		assert_null(alloc(6 * MIB));
	assert_string_equal(fake_text(), TOLD_BY("1234", "1"));
	fake_now_ms += TOLD_SECONDS * 1000;
	fake_text_clear();
	assert_null(alloc(6 * MIB));
	assert_string_equal(fake_text(), TOLD_BY("1234", "4"));
	fake.pid = 1235;
	fake_text_clear();
	assert_null(alloc(6 * MIB));
	assert_string_equal(fake_text(), TOLD_BY("1235", "5"));
	heap_free(first);
}

/* The limit is not to blame for what the kernel refuses. */
TEST(the_kernels_refusal_is_not_told, fresh, done)
{
	limits_hard((uint64_t)1 << 50);
	fake_text_clear();
	fake_fail_from(FAKE_MAP, 1);
	assert_null(alloc((size_t)1 << 40));
	assert_string_equal(fake_text(), "");
}

static int setup(void **state)
{
	config_parse(&config, "");
	return heap_setup_pinned(state);
}

TEST_MAIN(setup, NULL)
