/* asks: what a program can ask of the library, in all its forms
 *
 * Numbers by struct, JSON, Prometheus' text and other allocators' names; each
 * with room for nothing, for a part and for all. Asked by every thread, at any
 * time, as the promise says.
 */
#include "load.h"
#include "names.h"

static const char *const asked[] = {
	"stats.allocated", "stats.active",   "stats.metadata",
	"stats.resident",  "stats.mapped",   "stats.retained",
	"arenas.page",	   "arenas.quantum", "arenas.narenas",
	"epoch",	   "version",	     "config.prof",
	"arena.0.purge",   "arena.x",	     "nothing",
	"arenas.pages",	   "stats.a",	     "config.profile",
	"versions",	   "epochs",	     "arena.0.purged",
	"arena.",	   "opt.profile",    "background_",
};

static void ask_by_name(const char *name)
{
	static const size_t sizes[] = { 0, 3, 4, 6, 8, 16 };
	size_t value[2], size, i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		names.ctl(name, value, &(size_t){ sizes[i] }, NULL, 0);
	names.ctl(name, NULL, NULL, NULL, 0);
	names.ctl(name, value, NULL, NULL, 0);
	size = sizeof(value);
	names.ctl(name, value, &size, value, sizeof(value));
}

static void ask_properties(void)
{
	static const char *const properties[] = {
		"generic.current_allocated_bytes",
		"generic.current_allocated_bytes_of_all",
		"generic.heap_size",
		"generic.heap_sizes",
		"tcmalloc.pageheap_free_bytes",
		"tcmalloc.pageheap_unmapped_bytes",
		"tcmalloc.pageheap_unmapped_byte",
		"tcmalloc.current_total_thread_cache_bytes",
		"tcmalloc.current_total_thread_cache_bytes_",
		"tcmalloc.central_cache_free_bytes",
		"tcmalloc.central_cache_free_bytes_",
		"",
		"nothing",
	};
	char text[4000];
	size_t i, value;

	for (i = 0; i < sizeof(properties) / sizeof(*properties); i++)
		names.property(properties[i], &value);
	names.table(text, 0);
	names.table(text, sizeof(text));
	names.release(1);
	names.release_all();
}

static void ask_parts(void)
{
	struct lanemalloc_class_stats classes[100];
	struct lanemalloc_cpu_stats cpus[8];
	size_t size;

	for (size = 0; size < 20; size += 3) {
		names.classes(classes, size, 2);
		names.cpus(cpus, size, 2);
	}
	names.classes(NULL, 0, 0);
	names.classes(classes, sizeof(*classes), 100);
	names.classes(classes, 24, 100);
	names.classes(classes, 2 * sizeof(*classes), 50);
	names.cpus(NULL, 0, 0);
	names.cpus(cpus, sizeof(*cpus), 8);
	names.cpus(cpus, 8, 8);
	names.cpus(cpus, 2 * sizeof(*cpus), 4);
}

static void ask_forms(void)
{
	static const size_t sizes[] = { 0, 50, 5000, 60000 };
	char text[60000];
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		names.detail_json(text, sizes[i]);
		names.prometheus(text, sizes[i]);
	}
}

/* Lets the limits be what they are, but for a moment in which the soft one is
 * passed: one worker alone, or another would keep what it meant to pass. */
static void ask_limits(struct worker *w)
{
	struct lanemalloc_limits now, low;
	size_t size;
	struct {
		struct lanemalloc_limits now;
		char more[64];
	} newer;

	names.limit(NULL, NULL, 0);
	names.limit(NULL, &now, 8);
	names.limit(NULL, &now, sizeof(now));
	names.limit(NULL, &newer.now, sizeof(newer));
	for (size = 0; size < 20; size += 3)
		names.limit(NULL, &newer.now, size);
	low = now;
	low.soft_size = MIB;
	if (w->index != 2)
		return;
	for (size = 0; size < 20; size += 3)
		names.limit(&now, NULL, size);
	names.limit(&low, NULL, sizeof(low));
	names.limit(&now, &now, sizeof(now));
}

static void put_nowhere(void *state, const char *text)
{
	(void)state, (void)text;
}

void asks_do(struct worker *w)
{
	size_t i, n = sizeof(asked) / sizeof(*asked);

	if (!names.ctl)
		return;
	/* They take time: in each pass a part of the names. */
	for (i = load_below(w, 3); i < n; i += 3)
		ask_by_name(asked[i]);
	ask_properties();
	ask_parts();
	ask_forms();
	ask_limits(w);
	names.stats_print(put_nowhere, NULL, NULL);
	if (w->index == 0)
		names.stats_print(NULL, NULL, NULL);
	names.check();
}
