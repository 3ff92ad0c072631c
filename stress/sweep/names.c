/* names: found by dlsym, so that the load runs under any malloc */
#include "sweep.h"

#include "names.h"

#include <dlfcn.h>
#include <malloc.h>

struct names names;

#define NEW "_Znwm"
#define NEWS "_Znam"
#define NOTHROW "RKSt9nothrow_t"
#define ALIGN "St11align_val_t"

struct operator_pair operators[NR_OPERATORS] = {
	{ NEW, "_ZdlPv", 0, 0, 0, 0, 0, 0, 0 },
	{ NEW, "_ZdlPvm", 0, 0, 1, 0, 0, 0, 0 },
	{ NEW NOTHROW, "_ZdlPv" NOTHROW, 0, 1, 0, 0, 1, 0, 0 },
	{ NEW ALIGN, "_ZdlPv" ALIGN, 1, 0, 0, 1, 0, 0, 0 },
	{ NEW ALIGN, "_ZdlPvm" ALIGN, 1, 0, 1, 1, 0, 0, 0 },
	{ NEW ALIGN NOTHROW, "_ZdlPv" ALIGN NOTHROW, 1, 1, 0, 1, 1, 0, 0 },
	{ NEWS, "_ZdaPv", 0, 0, 0, 0, 0, 0, 0 },
	{ NEWS, "_ZdaPvm", 0, 0, 1, 0, 0, 0, 0 },
	{ NEWS NOTHROW, "_ZdaPv" NOTHROW, 0, 1, 0, 0, 1, 0, 0 },
	{ NEWS ALIGN, "_ZdaPv" ALIGN, 1, 0, 0, 1, 0, 0, 0 },
	{ NEWS ALIGN, "_ZdaPvm" ALIGN, 1, 0, 1, 1, 0, 0, 0 },
	{ NEWS ALIGN NOTHROW, "_ZdaPv" ALIGN NOTHROW, 1, 1, 0, 1, 1, 0, 0 },
};

/* Whether the object that has the malloc under test defines this one, too. */
static bool with_malloc(const char *name)
{
	void *found = dlsym(RTLD_DEFAULT, name);
	Dl_info x, y;

	return found && dladdr(found, &x) &&
	       dladdr(dlsym(RTLD_DEFAULT, "malloc"), &y) &&
	       x.dli_fbase == y.dli_fbase;
}

/* A function's address, through the integer that POSIX promises. */
#define FIND(field, name) \
	(*(void **)(void *)&names.field = dlsym(RTLD_DEFAULT, name))

#define INNER(field, name) \
	(*(void **)(void *)&names.field = text_symbol(name))

void names_find(void)
{
	struct operator_pair *o;

	FIND(stats, "lanemalloc_stats");
	FIND(stats_json, "lanemalloc_stats_json");
	FIND(purge, "lanemalloc_purge");
	FIND(profile_start, "lanemalloc_profile_start");
	FIND(profile_stop, "lanemalloc_profile_stop");
	FIND(profile_dump, "lanemalloc_profile_dump");
	FIND(classes, "lanemalloc_stats_classes");
	FIND(cpus, "lanemalloc_stats_cpus");
	FIND(detail_json, "lanemalloc_stats_detail_json");
	FIND(prometheus, "lanemalloc_stats_prometheus");
	FIND(limit, "lanemalloc_limit");
	FIND(check, "lanemalloc_check");
	if (names.stats)
		FIND(ctl, "mallctl");
	FIND(stats_print, "malloc_stats_print");
	FIND(property, "MallocExtension_GetNumericProperty");
	FIND(table, "MallocExtension_GetStats");
	FIND(release_all, "MallocExtension_ReleaseFreeMemory");
	FIND(release, "MallocExtension_ReleaseToSystem");
	FIND(mode, "lanemalloc_mode");
	FIND(version, "lanemalloc_version");
	FIND(reclaimer_start, "lanemalloc_reclaimer_start");
	FIND(free_sized, "free_sized");
	FIND(free_aligned_sized, "free_aligned_sized");
	FIND(cfree, "cfree");
	if (!with_malloc("cfree"))
		names.cfree = NULL;
	if (with_malloc("pvalloc"))
		names.pvalloc = pvalloc;
	FIND(mallinfo, "mallinfo");
	FIND(libc_malloc, "__libc_malloc");
	/* Foreign only where malloc is another one. */
	if (names.libc_malloc == malloc || !names.stats)
		names.libc_malloc = NULL;
	INNER(format, "report_format");
	if (names.stats)
		INNER(move, "memmove");
	INNER(guarded_find, "guarded_find");
	INNER(outside_switch, "outside_switch");
	INNER(readers, "probe_alloc_readers");
	for (o = operators; o < operators + NR_OPERATORS; o++) {
		o->new_found = dlsym(RTLD_DEFAULT, o->new_name);
		o->delete_found = dlsym(RTLD_DEFAULT, o->delete_name);
	}
}

/* All arguments are integers of a register each. */
void *names_new(const struct operator_pair *o, size_t size, size_t align)
{
	typedef void *fn(size_t, size_t, const char *);
	union {
		void *found;
		fn *call;
	} u = { o->new_found };

	if (!u.found || !o->delete_found)
		return NULL;
	if (o->new_aligned)
		return u.call(size, align, "");
	return u.call(size, (size_t) "", "");
}

void names_delete(const struct operator_pair *o, void *at, size_t size,
		  size_t align)
{
	typedef void fn(void *, size_t, size_t);
	union {
		void *found;
		fn *call;
	} u = { o->delete_found };

	if (o->delete_size)
		u.call(at, size, align);
	else
		u.call(at, align, align);
}
