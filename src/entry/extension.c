/* layer 6.4: extension: the C functions that gperftools' tcmalloc has
 *
 * Those that can be told the truth: numbers, and giving memory back. A program
 * finds no others: rates of release, samples and the checks of a debugging heap
 * have no meaning here. In the shared library only. Safe in signal handlers,
 * and nobody waits; a release takes time in proportion to what it finds.
 */
#include "base/text.h"
#include "front/forms.h"
#include "front/heap.h"
#include "front/stats.h"

/* X(property, its value). */
#define PROPERTIES(X)                                                         \
	X("generic.current_allocated_bytes", s.live_size)                     \
	X("generic.heap_size", s.live_size + s.cached_size +                  \
				       s.slab_free_size + s.free_dirty_size + \
				       s.free_clean_size)                     \
	X("tcmalloc.pageheap_free_bytes", s.free_dirty_size)                  \
	X("tcmalloc.pageheap_unmapped_bytes", s.free_clean_size)              \
	X("tcmalloc.current_total_thread_cache_bytes", s.cached_size)         \
	X("tcmalloc.central_cache_free_bytes", s.slab_free_size)

/* Reads a number by its name; 0: there is no such property. */
exported int MallocExtension_GetNumericProperty(const char *name, size_t *value)
{
	struct lanemalloc_stats s;

	stats_gather(&s);
#define ANSWER(property, number)       \
	if (text_is(name, property)) { \
		*value = number;       \
		return 1;              \
	}
	PROPERTIES(ANSWER)
#undef ANSWER
	return 0;
}

exported void MallocExtension_GetStats(char *buffer, int size)
{
	if (size > 0)
		forms_table(buffer, (size_t)size);
}

exported void MallocExtension_ReleaseFreeMemory(void)
{
	heap_purge(0);
}

/* Gives back at least so many bytes of what is free, if there are. */
exported void MallocExtension_ReleaseToSystem(size_t size)
{
	struct lanemalloc_stats s;

	stats_gather(&s);
	heap_purge(s.free_dirty_size > size ? s.free_dirty_size - size : 0);
}
