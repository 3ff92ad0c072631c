/* layer 6.5: api: the functions of lanemalloc.h
 *
 * Thin: each asks one layer below. All may run in signal handlers.
 */
#include <errno.h>

#include "base/bits.h"
#include "base/version.h"
#include "front/check.h"
#include "front/detail.h"
#include "front/forms.h"
#include "front/heap.h"
#include "front/limits.h"
#include "front/reclaimer.h"
#include "front/stats.h"
#include "lanemalloc.h"
#include "sample/dump.h"

exported const char *lanemalloc_version(void)
{
	return VERSION;
}

exported const char *lanemalloc_mode(const char **why)
{
	heap_start();
	return stats_mode(why);
}

/* As much of what is known as the caller's struct holds; what it has beyond is
 * zero. */
static void copy_known(void *out, size_t size, const void *known,
		       size_t known_size)
{
	__builtin_memset(out, 0, size);
	__builtin_memcpy(out, known, min_size(size, known_size));
}

exported size_t lanemalloc_stats(struct lanemalloc_stats *out, size_t size)
{
	struct lanemalloc_stats known;

	stats_gather(&known);
	copy_known(out, size, &known, sizeof(known));
	return sizeof(known);
}

exported size_t lanemalloc_stats_classes(struct lanemalloc_class_stats *out,
					 size_t size, size_t nr)
{
	struct lanemalloc_class_stats known = { 0 };
	struct detail detail;
	size_t i;

	__builtin_memset(out, 0, nr * size);
	if (!detail_open(&detail))
		return 0;
	for (i = 0; i < min_size(nr, NR_DETAIL_CLASSES); i++) {
		detail_class(&detail, (unsigned)i, &known);
		copy_known((char *)out + i * size, size, &known, sizeof(known));
	}
	detail_close(&detail);
	return NR_DETAIL_CLASSES;
}

exported size_t lanemalloc_stats_cpus(struct lanemalloc_cpu_stats *out,
				      size_t size, size_t nr)
{
	struct lanemalloc_cpu_stats known;
	unsigned id = 0;
	size_t n;

	__builtin_memset(out, 0, nr * size);
	if (!heap_start())
		return 0;
	for (n = 0; detail_cpu(&id, &known); n++)
		if (n < nr)
			copy_known((char *)out + n * size, size, &known,
				   sizeof(known));
	return n;
}

exported size_t lanemalloc_stats_json(char *buf, size_t size)
{
	return forms_json(buf, size);
}

exported size_t lanemalloc_stats_detail_json(char *buf, size_t size)
{
	return forms_detail_json(buf, size);
}

exported size_t lanemalloc_stats_prometheus(char *buf, size_t size)
{
	return forms_prometheus(buf, size);
}

exported size_t lanemalloc_purge(void)
{
	return heap_purge(0);
}

exported void lanemalloc_check(void)
{
	heap_check("check");
}

exported size_t lanemalloc_limit(const struct lanemalloc_limits *set,
				 struct lanemalloc_limits *now, size_t size)
{
	struct lanemalloc_limits known;
	size_t common = size < sizeof(known) ? size : sizeof(known);

	heap_start();
	pressure_limit(NULL, &known);
	if (set) {
		__builtin_memcpy(&known, set, common);
		pressure_limit(&known, &known);
	}
	if (now) {
		__builtin_memset(now, 0, size);
		__builtin_memcpy(now, &known, common);
	}
	return sizeof(known);
}

exported int lanemalloc_reclaimer_start(void)
{
	heap_threads_start();
	return reclaimer_ensure(); /* its result, or one more attempt's */
}

exported int lanemalloc_profile_start(void)
{
	return heap_profile_start(SAMPLE_PROFILE) ? 0 : -ENOMEM;
}

exported void lanemalloc_profile_stop(void)
{
	heap_profile_stop(SAMPLE_PROFILE);
}

exported int lanemalloc_profile_dump(const char *path)
{
	return dump_write(path);
}
