/* modes: all */
/* mallctl and MallocExtension_*: what programs ask of other allocators */
#include "expect.h"

typedef int ctl(const char *, void *, size_t *, void *, size_t);
typedef int property(const char *, size_t *);

static size_t property_of(const char *name)
{
	size_t value = 4711;

	must(LOOK(property *, "MallocExtension_GetNumericProperty")(
		     name, &value) == 1);
	return value;
}

static size_t number(const char *name)
{
	size_t value = 4711, size = sizeof(value);

	errno = 4711;
	must(!LOOK(ctl *, "mallctl")(name, &value, &size, NULL, 0));
	must(errno == 4711 && size == sizeof(value));
	return value;
}

TEST_LANE(test_mallctl_numbers)
{
	size_t before, active;
	char *block;

	before = number("stats.allocated");
	active = number("stats.active");
	assert_true(active >= before);
	block = malloc(64 * MIB);
	assert_int_equal(number("stats.allocated"), before + 64 * MIB);
	assert_true(number("stats.active") >= active + 64 * MIB);
	assert_true(number("stats.resident") >= number("stats.active"));
	assert_true(number("stats.mapped") >= number("stats.active"));
	assert_true(number("stats.metadata") > 0);
	free(block);
	assert_int_equal(number("stats.allocated"), before);
	LANE(lanemalloc_purge)();
	assert_true(number("stats.retained") >= 64 * MIB);
	assert_int_equal(number("arenas.page"), (size_t)sysconf(_SC_PAGESIZE));
	assert_int_equal(number("arenas.quantum"), 16);
}

/* As programs call it that show what they run on. */
TEST_LANE(test_mallctl_version)
{
	const char *version = NULL;
	size_t size = sizeof(version);
	char expected[64];

	assert_int_equal(LOOK(ctl *, "mallctl")("version", &version, &size,
						NULL, 0), 0);
	snprintf(expected, sizeof(expected), "lanemalloc-%s",
		 LANE(lanemalloc_version)());
	assert_string_equal(version, expected);
}

TEST_LANE(test_mallctl_rules)
{
	ctl *mallctl = LOOK(ctl *, "mallctl");
	size_t value = 0, size = sizeof(value);
	uint64_t epoch = 1;
	uint32_t half = 0;
	bool prof = true;

	assert_int_equal(mallctl("no.such", &value, &size, NULL, 0), ENOENT);
	assert_int_equal(mallctl("stats", &value, &size, NULL, 0), ENOENT);
	assert_int_equal(mallctl("stats.allocated.", NULL, NULL, NULL, 0),
			 ENOENT);
	assert_int_equal(mallctl("stats.allocated", NULL, NULL, NULL, 0), 0);
	assert_int_equal(mallctl("stats.allocated", NULL, NULL, &value,
				 sizeof(value)), EPERM);
	assert_int_equal(mallctl("epoch", &epoch, &size, &epoch,
				 sizeof(epoch)), 0);
	size = sizeof(half);
	assert_int_equal(mallctl("stats.mapped", &half, &size, NULL, 0),
			 EINVAL);
	assert_int_equal(size, sizeof(half));
	assert_int_not_equal(half, 0);
	size = sizeof(prof);
	assert_int_equal(mallctl("opt.prof", &prof, &size, NULL, 0), 0);
	assert_false(prof);
}

/* As redis purges: how many arenas, then the one behind them, which is all. */
TEST_LANE(test_mallctl_purge)
{
	ctl *mallctl = LOOK(ctl *, "mallctl");
	unsigned nr = 4711;
	size_t size = sizeof(nr);
	char name[32];

	assert_int_equal(mallctl("arenas.narenas", &nr, &size, NULL, 0), 0);
	assert_int_equal(nr, 1);
	free(opaque(memset(malloc(3 * MIB), 1, 3 * MIB)));
	assert_true(property_of("tcmalloc.pageheap_free_bytes") >= 3 * MIB);
	snprintf(name, sizeof(name), "arena.%u.purge", nr);
	assert_int_equal(mallctl(name, NULL, NULL, NULL, 0), 0);
	assert_int_equal(property_of("tcmalloc.pageheap_free_bytes"), 0);
	assert_int_equal(mallctl("arena.0.purge", NULL, NULL, &nr,
				 sizeof(nr)), EPERM);
	assert_int_equal(mallctl("arena..purge", NULL, NULL, NULL, 0), ENOENT);
	assert_int_equal(mallctl("arena.0.decay", NULL, NULL, NULL, 0), ENOENT);
	assert_int_equal(mallctl("arena.0.purges", NULL, NULL, NULL, 0),
			 ENOENT);
}

typedef void print(void (*)(void *, const char *), void *, const char *);

static void keep_text(void *state, const char *text)
{
	snprintf(state, 8192, "%s", text);
}

/* jemalloc's own ends the program where mallctl() has no name for it. */
TEST_LANE(test_malloc_stats_print)
{
	char text[8192] = "";

	LOOK(print *, "malloc_stats_print")(keep_text, text, NULL);
	assert_non_null(strstr(text, "live_size "));
	assert_non_null(strstr(text, "pressure_reason "));
}

/* RocksDB and folly would go on to extent hooks, were all eleven there. */
TEST_LANE(test_not_jemalloc)
{
	static const char *const names[] = {
		"mallocx", "rallocx", "xallocx", "sallocx", "dallocx",
		"sdallocx", "nallocx", "mallctlnametomib", "mallctlbymib",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_null(dlsym(RTLD_DEFAULT, names[i]));
}

TEST_LANE(test_extension)
{
	size_t before, none = 4711;
	char *block, *text;

	before = property_of("generic.current_allocated_bytes");
	block = malloc(64 * MIB);
	memset(block, 1, 64 * MIB);
	assert_int_equal(property_of("generic.current_allocated_bytes"),
			 before + 64 * MIB);
	assert_true(property_of("generic.heap_size") >= before + 64 * MIB);
	free(block);
	LOOK(void (*)(void), "MallocExtension_ReleaseFreeMemory")();
	assert_int_equal(property_of("tcmalloc.pageheap_free_bytes"), 0);
	assert_true(property_of("tcmalloc.pageheap_unmapped_bytes") >=
		    64 * MIB);
	assert_int_equal(property_of("generic.current_allocated_bytes"),
			 before);
	property_of("tcmalloc.current_total_thread_cache_bytes");
	property_of("tcmalloc.central_cache_free_bytes");
	assert_int_equal(LOOK(property *, "MallocExtension_GetNumericProperty")(
				 "no.such", &none), 0);
	assert_int_equal(none, 4711);
	text = malloc(8192);
	LOOK(void (*)(char *, int), "MallocExtension_GetStats")(text, 8192);
	assert_non_null(strstr(text, "live_size"));
	assert_non_null(strstr(text, "nr_fitted_classes"));
	LOOK(void (*)(char *, int), "MallocExtension_GetStats")(text, 5);
	assert_string_equal(text, "stat");
	free(text);
	assert_null(dlsym(RTLD_DEFAULT,
			  "MallocExtension_SetMemoryReleaseRate"));
}

/* A part of what is free. */
TEST_LANE(test_release_to_system)
{
	size_t dirty, left;
	char *block = malloc(3 * MIB);

	memset(block, 1, 3 * MIB);
	free(opaque(block));
	dirty = property_of("tcmalloc.pageheap_free_bytes");
	assert_true(dirty >= 3 * MIB);
	LOOK(void (*)(size_t), "MallocExtension_ReleaseToSystem")(MIB);
	left = property_of("tcmalloc.pageheap_free_bytes");
	assert_in_range(left, 1, dirty - MIB);
}

TEST_MAIN(NULL, NULL)
