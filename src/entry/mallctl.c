/* layer 6.4: mallctl: the numbers that programs ask of jemalloc by name
 *
 * Read-only: a program that looks for mallctl() alone wants to show them. Those
 * that would go on to jemalloc's own calls look for mallocx() and its like as
 * well, and find none. What has no meaning here has no name (ENOENT); what
 * would change something is refused (EPERM). All numbers are of the moment; an
 * "epoch" need not be moved, and moving it does nothing.
 *
 * There is one arena, the heap. "arena.N.purge", of any number, as all arenas
 * and those that are counted have several, gives back what malloc_trim(0) does:
 * what it promises, and no setting.
 *
 * malloc_stats_print() is there with it: jemalloc's own, in a program that is
 * linked with jemalloc too, would ask this mallctl() for names that have no
 * meaning here, and abort.
 *
 * The result is jemalloc's: 0 or an errno; errno itself stays. In the shared
 * library only. Each number costs what lanemalloc_stats() does; wait-free, safe
 * in signal handlers; the purge is lock-free.
 */
#include <errno.h>

#include "base/bits.h"
#include "base/text.h"
#include "base/version.h"
#include "front/forms.h"
#include "front/relief.h"
#include "front/start.h"
#include "front/stats.h"
#include "slab/size_class.h"
#include "system/system.h"

#define TABLE_SIZE 4096

enum number {
	STATS_ALLOCATED, /* the program's blocks */
	STATS_ACTIVE,	 /* what they lie in */
	STATS_METADATA,
	STATS_RESIDENT, /* both, and what is kept free */
	STATS_MAPPED,
	STATS_RETAINED,
	PAGE,
	QUANTUM,
};

static const struct {
	const char *name;
	enum number number;
} numbers[] = {
	{ "stats.allocated", STATS_ALLOCATED },
	{ "stats.active", STATS_ACTIVE },
	{ "stats.metadata", STATS_METADATA },
	{ "stats.resident", STATS_RESIDENT },
	{ "stats.mapped", STATS_MAPPED },
	{ "stats.retained", STATS_RETAINED },
	{ "arenas.page", PAGE },
	{ "arenas.quantum", QUANTUM },
};

/* What jemalloc can be built with and asked for; none of it is here. */
static const char *const absent[] = { "config.prof", "opt.prof", "prof.active",
				      "opt.background_thread",
				      "background_thread" };

static size_t number_get(enum number number)
{
	struct lanemalloc_stats s;
	uint64_t active;

	stats_gather(&s);
	active = s.live_size + s.cached_size + s.slab_free_size;
	switch (number) {
	case STATS_ALLOCATED:
		return s.live_size;
	case STATS_ACTIVE:
		return active;
	case STATS_METADATA:
		return s.metadata_size;
	case STATS_RESIDENT:
		return active + s.free_dirty_size + s.metadata_size;
	case STATS_MAPPED:
		return s.committed_size;
	case STATS_RETAINED:
		return s.free_clean_size;
	case PAGE:
		return system_page_size();
	case QUANTUM:
		return 16;
	}
	return 0;
}

/* Answers as much as the caller has room for; that is all, or EINVAL. */
static int answer(void *out, size_t *size, const void *value, size_t value_size)
{
	size_t n;

	if (!out || !size)
		return 0;
	n = min_size(*size, value_size);
	__builtin_memcpy(out, value, n);
	if (*size == value_size)
		return 0;
	*size = n;
	return EINVAL;
}

static int answer_number(const char *name, void *out, size_t *size)
{
	const unsigned nr_arenas = 1;
	const bool no = false;
	size_t i, number;

	if (text_is(name, "arenas.narenas"))
		return answer(out, size, &nr_arenas, sizeof(nr_arenas));

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (!text_is(name, numbers[i].name))
			continue;
		number = number_get(numbers[i].number);
		return answer(out, size, &number, sizeof(number));
	}
	for (i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		if (text_is(name, absent[i]))
			return answer(out, size, &no, sizeof(no));
	return ENOENT;
}

/* "arena.", a number, ".purge" */
static bool is_purge(const char *name)
{
	static const char head[] = "arena.";
	size_t at = 0;

	while (head[at] && name[at] == head[at])
		at++;
	if (head[at] || name[at] < '0' || name[at] > '9')
		return false;
	while (name[at] >= '0' && name[at] <= '9')
		at++;
	return text_is(name + at, ".purge");
}

exported int mallctl(const char *name, void *out, size_t *size, void *in,
		     size_t in_size)
{
	static const char version[] = "lanemalloc-" VERSION;
	const char *text = version;
	const uint64_t epoch = 1;

	if (text_is(name, "epoch"))
		return answer(out, size, &epoch, sizeof(epoch));
	if (in || in_size)
		return EPERM;
	if (is_purge(name)) {
		heap_purge(0);
		return 0;
	}
	if (text_is(name, "version"))
		return answer(out, size, &text, sizeof(text));
	return answer_number(name, out, size);
}

/* What options leave out of jemalloc's text is not in this one. */
exported void malloc_stats_print(void (*put)(void *, const char *), void *state,
				 const char *options)
{
	char text[TABLE_SIZE];

	(void)options;
	if (!put) {
		forms_print();
		return;
	}
	forms_table(text, sizeof(text));
	put(state, text);
}
