/* layer 5.2: foreign: blocks that another malloc made */
#include "front/foreign.h"

#include "base/atomic.h"
#include "front/block_fault.h"
#include "front/colour.h"
#include "pageheap/region.h"
#include "system/config.h"
#include "system/fault.h"
#include "system/peek.h"
#include "system/sealed.h"
#include "system/static_link.h"
#include "system/system.h"

extern void __libc_free(void *pointer) weak_import;
extern void *__libc_realloc(void *pointer, size_t size) weak_import;

static _Atomic(uint64_t) nr_frees; /* atomic: counter */

static bool libc_has_malloc(void)
{
	return !&lane_static_link && __libc_free && __libc_realloc;
}

/* What libc (glibc) writes before a block: its size, and bits below it. */
#define CHUNK_IN_USE 1
#define CHUNK_MAPPED 2
#define CHUNK_BITS 7
#define CHUNK_LEAST 32

static bool chunk_read(uintptr_t at, uint64_t head[2])
{
	if (!system_can_read((const void *)at, 2 * sizeof(*head)))
		return false;
	__builtin_memcpy(head, (const void *)at, 2 * sizeof(*head));
	return true;
}

/* A block in use says how long it is; the next one, that this is in use. */
static bool foreign_is_libcs(const void *pointer)
{
	uintptr_t at = (uintptr_t)pointer - 16;
	uint64_t head[2], next[2], size, page = system_page_size();

	if ((uintptr_t)pointer % 16 || !chunk_read(at, head))
		return false;
	size = head[1] & ~(uint64_t)CHUNK_BITS;
	if (size < CHUNK_LEAST || size % 16)
		return false;
	if (head[1] & CHUNK_MAPPED)
		return !((at - head[0]) % page) && !((head[0] + size) % page);
	return chunk_read(at + size, next) && (next[1] & CHUNK_IN_USE) &&
	       (next[1] & ~(uint64_t)CHUNK_BITS);
}

/* libc may take for a block what is none, and has then lost its heap. */
static void foreign_check(const void *pointer, const char *verb)
{
	static const struct block none = { .kind = BLOCK_FOREIGN };

	if (!libc_has_malloc() || ((config.hardened || config_checks_full()) &&
				   !foreign_is_libcs(pointer)))
		block_fault(pointer, &none, NULL, "%s of %p: not a block", verb,
			    pointer);
}

bool foreign_is(const void *pointer)
{
	return pointer && !region_of(colour_off(pointer));
}

void foreign_count(void)
{
	add_relaxed(&nr_frees, 1);
}

void foreign_free(void *pointer)
{
	foreign_check(pointer, "free");
	foreign_count();
	__libc_free(pointer);
}

void *foreign_realloc(void *pointer, size_t size)
{
	foreign_check(pointer, "realloc");
	return __libc_realloc(pointer, size);
}

size_t foreign_usable_size(const void *pointer)
{
	foreign_check(pointer, "malloc_usable_size");
	if (!sealed.at.libc_usable_size)
		fault("malloc_usable_size of %p: not a block", pointer);
	return sealed.at.libc_usable_size((void *)(uintptr_t)pointer);
}

uint64_t foreign_nr_frees(void)
{
	return load_relaxed(&nr_frees);
}
