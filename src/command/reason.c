/* layer 7.4: reason: why memory does not go back, with sizes */
#include "command/reason.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "command/text.h"

#define WORTH_SAYING ((uint64_t)64 << 10)

struct list {
	struct reason *out;
	unsigned nr;
};

static __attribute__((format(printf, 3, 4))) void
add(struct list *list, uint64_t size, const char *format, ...)
{
	struct reason *reason = &list->out[list->nr];
	va_list args;

	if (size < WORTH_SAYING || list->nr == REASONS_MOST)
		return;
	reason->size = size;
	va_start(args, format);
	vsnprintf(reason->text, sizeof(reason->text), format, args);
	va_end(args);
	list->nr++;
}

static int compare(const void *a, const void *b)
{
	const struct reason *x = a, *y = b;

	return (x->size < y->size) - (x->size > y->size);
}

static void dirty_reasons(struct list *list, const struct heap *heap)
{
	uint64_t dirty = heap->stats.free_dirty_size;
	uint64_t kept = heap->stats.budget_size;
	char size[SIZE_TEXT];

	if (dirty <= kept)
		add(list, dirty,
		    "free and dirty, within the budget of %s: "
		    "kept for what is asked for next (purge_budget), given "
		    "back when nobody wants it for %lu ms",
		    text_size(size, kept), heap->purge_delay);
	else
		add(list, dirty,
		    "free and dirty, more than the budget of %s: "
		    "goes back at the next purge",
		    text_size(size, kept));
}

static void slab_reasons(struct list *list, const struct heap *heap)
{
	uint64_t pinned = heap->pinned_size;
	char slabs[COUNT_TEXT];

	add(list, pinned,
	    "free in slabs that hold a block in use each; at most a quarter "
	    "full: %lu of %s; whole pages of slabs that lie still are given "
	    "back",
	    heap->nr_quarter, text_count(slabs, heap->stats.nr_slabs, "slab"));
	add(list, heap->stats.slab_free_size - pinned,
	    "free in slabs, and given back already: no memory is behind it");
}

static void other_reasons(struct list *list, const struct heap *heap)
{
	uint64_t known = heap->stats.live_size + heap->stats.cached_size +
			 heap->pinned_size + heap->stats.free_dirty_size;
	char caches[COUNT_TEXT];

	add(list, heap->stats.cached_size,
	    "in %s: those of idle CPUs are emptied by the helper (cpu_cache "
	    "bounds each)",
	    text_count(caches, heap->stats.nr_cpu_caches, "CPU cache"));
	add(list, heap->stats.live_size, "in blocks that the program holds");
	if (heap->has_resident && heap->resident_size > known)
		add(list, heap->resident_size - known,
		    "resident and none of "
		    "these: the ends of blocks and slabs, or hugepages that "
		    "the kernel made of them");
}

unsigned reasons_of(const struct heap *heap, struct reason out[REASONS_MOST])
{
	struct list list = { out, 0 };

	other_reasons(&list, heap);
	slab_reasons(&list, heap);
	dirty_reasons(&list, heap);
	qsort(out, list.nr, sizeof(*out), compare);
	return list.nr;
}
