/* layer 6.5: api: the functions of lanemalloc.h
 *
 * Thin: each asks one layer below. All may run in signal handlers.
 */
#include <errno.h>

#include "front/check.h"
#include "front/heap.h"
#include "front/reclaimer.h"
#include "front/stats.h"
#include "lanemalloc.h"
#include "sample/dump.h"

#define STRING_OF(x) #x
#define VERSION_TEXT(a, b, c) STRING_OF(a) "." STRING_OF(b) "." STRING_OF(c)

exported const char *lanemalloc_version(void)
{
	return VERSION_TEXT(LANEMALLOC_VERSION_MAJOR, LANEMALLOC_VERSION_MINOR,
			    LANEMALLOC_VERSION_PATCH);
}

exported const char *lanemalloc_mode(const char **why)
{
	heap_start();
	return stats_mode(why);
}

exported size_t lanemalloc_stats(struct lanemalloc_stats *out, size_t size)
{
	struct lanemalloc_stats known;

	stats_gather(&known);
	__builtin_memset(out, 0, size);
	__builtin_memcpy(out, &known,
			 size < sizeof(known) ? size : sizeof(known));
	return sizeof(known);
}

exported size_t lanemalloc_stats_json(char *buf, size_t size)
{
	return stats_json(buf, size);
}

exported size_t lanemalloc_purge(void)
{
	return heap_purge(0);
}

exported void lanemalloc_check(void)
{
	heap_check("check");
}

exported int lanemalloc_reclaimer_start(void)
{
	heap_threads_start();
	return reclaimer_ensure(); /* its result, or one more attempt's */
}

exported int lanemalloc_profile_start(void)
{
	return heap_profile_start() ? 0 : -ENOMEM;
}

exported void lanemalloc_profile_stop(void)
{
	heap_profile_stop();
}

exported int lanemalloc_profile_dump(const char *path)
{
	return dump_write(path);
}
