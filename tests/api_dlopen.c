/* modes: all no-qemu */
/* dlopen: of the library itself, with RTLD_DEEPBIND, by the caller's RUNPATH */
#include "expect.h"

struct plugin {
	void *(*malloc)(size_t);
	void *(*realloc)(void *, size_t);
	char *(*strdup)(const char *);
	void (*free)(void *);
};

static struct plugin plugin_open(int mode)
{
	void *handle = dlopen(plugin_path("blocks"), mode);
	struct plugin plugin;

	must(handle);
	*(void **)&plugin.malloc = dlsym(handle, "blocks_malloc");
	*(void **)&plugin.realloc = dlsym(handle, "blocks_realloc");
	*(void **)&plugin.strdup = dlsym(handle, "blocks_strdup");
	*(void **)&plugin.free = dlsym(handle, "blocks_free");
	must(plugin.malloc && plugin.realloc && plugin.strdup && plugin.free);
	return plugin;
}

/* Blocks of the plugin's, ended here. */
static void take_from(const struct plugin *plugin)
{
	for (size_t n = 0; n < 100000; n += 1 + n / 5) {
		char *p = plugin->malloc(n), *q = plugin->strdup("some text");

		pattern_fill(p, n, n);
		must(malloc_usable_size(p) >= n);
		if (n % 2) {
			p = realloc(p, n + 100);
			must(pattern_holds(p, n < 128 ? n : 128, n));
		}
		free(p);
		must(strcmp(q, "some text") == 0);
		free(q);
	}
}

/* Blocks of ours, ended by the plugin. */
static void give_to(const struct plugin *plugin)
{
	for (size_t n = 0; n < 100000; n += 1 + n / 5) {
		char *p = malloc(n), *q = strdup("some text");

		pattern_fill(p, n, n);
		if (n % 2) {
			p = plugin->realloc(p, n + 100);
			must(pattern_holds(p, n < 128 ? n : 128, n));
		}
		plugin->free(p);
		plugin->free(q);
	}
}

static void check_mode(int mode)
{
	struct plugin plugin = plugin_open(mode);
	uint64_t foreign = stats_now().nr_foreign_frees;

	take_from(&plugin);
	give_to(&plugin);
	must(stats_now().nr_foreign_frees == foreign);
}

TEST_ROLE(plain, NULL)
{
	check_mode(RTLD_NOW);
}

TEST_ROLE(deepbind, NULL)
{
	check_mode(RTLD_NOW | RTLD_DEEPBIND);
}

/* Where the option lets the flag through, the plugin has libc's malloc. */
TEST_ROLE(foreign, "deepbind=1")
{
	struct plugin plugin = plugin_open(RTLD_NOW | RTLD_DEEPBIND);
	uint64_t foreign = stats_now().nr_foreign_frees;

	take_from(&plugin);
	must(stats_now().nr_foreign_frees > foreign);
}

ROLE(runpath)
{
	void *(*open)(const char *, int);
	int (*number)(void);
	void *handle;

	must(!dlopen("plugin_found.so", RTLD_NOW));
	must(dlerror());
	handle = dlopen(plugin_path("runpath"), RTLD_NOW);
	must(handle);
	*(void **)&open = dlsym(handle, "runpath_open");
	must(open);
	handle = open("plugin_found.so", RTLD_NOW);
	must(handle);
	*(void **)&number = dlsym(handle, "found_number");
	must(number && number() == 4711);
	must(dlclose(handle) == 0);
}

/* A namespace of its own has its own libc, whose malloc stays its own. */
ROLE(namespace)
{
	void *handle = dlmopen(LM_ID_NEWLM, plugin_path("blocks"), RTLD_NOW);
	void *(*take)(size_t);
	void (*give)(void *);

	must(handle);
	*(void **)&take = dlsym(handle, "blocks_malloc");
	*(void **)&give = dlsym(handle, "blocks_free");
	for (size_t n = 1; n < 100000; n *= 2)
		give(take(n));
}

/* The library opened by a program that did not start with it. */
struct library {
	void *(*malloc)(size_t);
	void *(*realloc)(void *, size_t);
	void (*free)(void *);
	size_t (*usable)(void *);
	size_t (*stats)(struct lanemalloc_stats *, size_t);
};

static struct library late;

static void *late_work(void *arg)
{
	char *blocks[64] = { 0 };
	uint64_t random = (uintptr_t)arg + 1;

	for (size_t i = 0; i < 20000; i++) {
		size_t k = random_next(&random) % 64;

		must(!blocks[k] || pattern_holds(blocks[k], 128, k));
		if (i % 5 == 0)
			blocks[k] = late.realloc(blocks[k], 128 + i % 1000);
		else
			late.free(blocks[k]),
				blocks[k] = late.malloc(128 + i % 700);
		must(blocks[k] && late.usable(blocks[k]) >= 128);
		pattern_fill(blocks[k], 128, k);
	}
	for (size_t k = 0; k < 64; k++)
		late.free(blocks[k]);
	return NULL;
}

static void late_open(int mode)
{
	void *handle = dlopen(library_path(), mode), *own;
	struct lanemalloc_stats stats;

	must(handle);
	*(void **)&late.malloc = dlsym(handle, "malloc");
	*(void **)&late.realloc = dlsym(handle, "realloc");
	*(void **)&late.free = dlsym(handle, "free");
	*(void **)&late.usable = dlsym(handle, "malloc_usable_size");
	*(void **)&late.stats = dlsym(handle, "lanemalloc_stats");
	must(late.malloc && late.malloc != malloc && late.stats);
	late_work(NULL);
	threads_run(4, late_work);
	own = malloc(100); /* libc's */
	late.free(late.realloc(own, 5000));
	must(late.stats(&stats, sizeof(stats)));
	must(stats.nr_foreign_frees == 1);
	must(dlclose(handle) == 0);
	late_work(NULL); /* it is never unloaded */
}

ROLE(late)
{
	must(!LANE(lanemalloc_version));
	late_open(RTLD_NOW | RTLD_LOCAL);
}

ROLE(late_global)
{
	must(!LANE(lanemalloc_version));
	late_open(RTLD_LAZY | RTLD_GLOBAL);
}

static void unpreload(void)
{
	if (!getenv("LANEMALLOC_SO"))
		setenv("LANEMALLOC_SO", getenv("LD_PRELOAD"), 1);
	unsetenv("LD_PRELOAD");
}

TEST(test_without_it)
{
	role_passes("runpath", NULL);
	role_passes("namespace", NULL);
}

TEST_LANE(test_late)
{
	child.prepare = unpreload;
	role_passes("late", NULL);
	role_passes("late_global", NULL);
	child.prepare = NULL;
}

API_MAIN(NULL, NULL)
