/* layer 5.2: foreign: blocks that another malloc made */
#include "front/foreign.h"

#include "base/atomic.h"
#include "pageheap/region.h"
#include "system/report.h"
#include "system/sealed.h"

extern void __libc_free(void *pointer) weak_import;
extern void *__libc_realloc(void *pointer, size_t size) weak_import;
/* Defined where this library took libc's names too. */
extern const char lane_static_link weak_import internal;

static _Atomic(uint64_t) nr_frees; /* atomic: counter */

static bool libc_has_malloc(void)
{
	return !&lane_static_link && __libc_free && __libc_realloc;
}

bool foreign_is(const void *pointer)
{
	return pointer && !region_of(pointer);
}

void foreign_count(void)
{
	add_relaxed(&nr_frees, 1); // counter
}

void foreign_free(void *pointer)
{
	if (!libc_has_malloc())
		fault("free of %p: not a block", pointer);
	foreign_count();
	__libc_free(pointer);
}

void *foreign_realloc(void *pointer, size_t size)
{
	if (!libc_has_malloc())
		fault("realloc of %p: not a block", pointer);
	return __libc_realloc(pointer, size);
}

size_t foreign_usable_size(const void *pointer)
{
	if (!libc_has_malloc() || !sealed.at.libc_usable_size)
		fault("malloc_usable_size of %p: not a block", pointer);
	return sealed.at.libc_usable_size((void *)(uintptr_t)pointer);
}

uint64_t foreign_nr_frees(void)
{
	return load_relaxed(&nr_frees); // counter
}
