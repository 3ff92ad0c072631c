/* layer 6.1: C names: malloc, free and their family
 *
 * Argument checks and errno, nothing else; the heap does the work. errno is
 * written where a call fails and nowhere else: no layer below touches it, so
 * success and every free leave it as it was.
 *
 * malloc() and free() are the heap's inline fast paths and a tail call to a
 * cold half; they save no register and have no frame. The heap's own cold
 * half does not know errno, so malloc's passes through malloc_slow() here.
 *
 * Every function may run in signal handlers, before main and after it, and
 * none of them waits.
 */
#include <errno.h>

#include "base/bits.h"
#include "entry/program.h"
#include "front/heap.h"
#include "front/marked.h"
#include "system/system.h"

#define ALIGN_LEAST 16
#define ALIGN_MOST ((size_t)1 << (sizeof(size_t) * 8 - 1))
#define SIZE_MOST ((size_t)PTRDIFF_MAX)

static cold void *out_of_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

static cold void *bad_argument(void)
{
	errno = EINVAL;
	return NULL;
}

static force_inline void *or_out_of_memory(void *block)
{
	return likely(block) ? block : out_of_memory();
}

static __attribute__((noinline)) on_own_lines void *malloc_slow(size_t size)
{
	void *object = marked_try_alloc(size);

	if (likely(object))
		return object;
	return or_out_of_memory(heap_alloc_slow(size));
}

exported on_own_lines void *malloc(size_t size)
{
	void *object = heap_try_alloc(size);

	if (unlikely(!object))
		object = heap_try_alloc_counted(size);
	if (unlikely(!object))
		return malloc_slow(size);
	return object;
}

exported on_own_lines void free(void *block)
{
	heap_free(block);
}

PROGRAM_ALIAS(free, nothrow, leaf)

exported void cfree(void *block)
{
	heap_free(block);
}

exported void *calloc(size_t nr, size_t size)
{
	size_t total;

	if (unlikely(__builtin_mul_overflow(nr, size, &total)))
		return out_of_memory();
	return or_out_of_memory(heap_alloc_zeroed(total));
}

/* A size of 0 frees, as C17 and glibc have it; errno tells the caller apart
 * from a failure, so it stays as it was. */
exported void *realloc(void *block, size_t size)
{
	if (unlikely(!block))
		return or_out_of_memory(heap_alloc(size));
	if (unlikely(!size)) {
		heap_free(block);
		return NULL;
	}
	if (unlikely(size > SIZE_MOST))
		return out_of_memory();
	return or_out_of_memory(heap_realloc(block, size));
}

/* The sizes are hints, and may be wrong; in the modes that check them the
 * gate's second pair opens (gate.h), so that heap_try_free() takes nothing and
 * every call reaches the half that sees the size. */
static cold void free_hinted_slow(void *block, size_t align, size_t size)
{
	if (!program_free(block))
		heap_free_hinted(block, FORM_C, align, &size);
}

exported void free_sized(void *block, size_t size)
{
	if (unlikely(!heap_try_free(block)))
		free_hinted_slow(block, 0, size);
}

exported void free_aligned_sized(void *block, size_t align, size_t size)
{
	if (unlikely(!heap_try_free(block)))
		free_hinted_slow(block, align, size);
}

exported size_t malloc_usable_size(void *block)
{
	return heap_usable_size(block);
}

/* The size need not be a multiple of the alignment. */
exported void *aligned_alloc(size_t align, size_t size)
{
	if (unlikely(!is_power_of_two(align)))
		return bad_argument();
	return or_out_of_memory(heap_alloc_aligned(size, align));
}

/* An odd alignment becomes the next power of two. */
exported void *memalign(size_t align, size_t size)
{
	if (unlikely(align > ALIGN_MOST))
		return bad_argument();
	if (align <= ALIGN_LEAST)
		align = ALIGN_LEAST;
	else
		align = (size_t)2 << bits_last(align - 1);
	return or_out_of_memory(heap_alloc_aligned(size, align));
}

/* Reports by its result and leaves errno alone, also when it fails. */
exported int posix_memalign(void **out, size_t align, size_t size)
{
	void *block;

	if (unlikely(!is_power_of_two(align) || align % sizeof(void *)))
		return EINVAL;
	block = heap_alloc_aligned(size, align);
	if (unlikely(!block))
		return ENOMEM;
	*out = block;
	return 0;
}

exported void *valloc(size_t size)
{
	return or_out_of_memory(heap_alloc_aligned(size, system_page_size()));
}

exported void *pvalloc(size_t size)
{
	size_t page = system_page_size();

	if (unlikely(size > SIZE_MOST))
		return out_of_memory();
	return or_out_of_memory(heap_alloc_aligned(round_up(size, page), page));
}
