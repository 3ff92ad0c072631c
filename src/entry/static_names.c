/* layer 6.4: static names: the rest of libc.a's malloc.o, for the archive
 *
 * In a fully static link any symbol of libc.a's malloc.o that we lack pulls
 * that member in, and the link fails on the names that both define. So the
 * archive carries every one of them: aliases under reserved names, and the
 * hooks by which libc's fork and thread exit reach its own malloc; ours need
 * neither. For the same reason the archive must be one object: libc asks for
 * the hooks after the linker has passed us by. Only in the archive, only for
 * glibc; lower layers learn it by system/static_link.c.
 *
 * libc declares the hooks hidden; references from libc.a bind to these all
 * the same, and a static program exports nothing.
 */
#include <malloc.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <time.h>

#include "base/compiler.h"

/* mallinfo() is deprecated for programs; here it only gets its aliases. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* Imported weakly below, which pulls nothing out of an archive. */
__attribute__((used)) static unsigned long (*const keep_getauxval)(
	unsigned long) = getauxval;
__attribute__((used)) static int (*const keep_clock_gettime)(
	clockid_t, struct timespec *) = clock_gettime;

/* Both reserved families have the C names' types: no header declares them. */
#define ALIAS(type, name, params, args) \
	exported type __##name params;  \
	exported type __##name params   \
	{                               \
		return name args;       \
	}

#define LIBC_ALIAS(type, name, params, args) \
	ALIAS(type, name, params, args)      \
	exported type __libc_##name params;  \
	exported type __libc_##name params   \
	{                                    \
		return name args;            \
	}

LIBC_ALIAS(void *, malloc, (size_t size), (size))
LIBC_ALIAS(void *, calloc, (size_t nr, size_t size), (nr, size))
LIBC_ALIAS(void *, realloc, (void *block, size_t size), (block, size))
LIBC_ALIAS(void *, memalign, (size_t align, size_t size), (align, size))
LIBC_ALIAS(void *, valloc, (size_t size), (size))
LIBC_ALIAS(void *, pvalloc, (size_t size), (size))
LIBC_ALIAS(struct mallinfo, mallinfo, (void), ())
LIBC_ALIAS(struct mallinfo2, mallinfo2, (void), ())
LIBC_ALIAS(int, mallopt, (int parameter, int value), (parameter, value))
ALIAS(int, malloc_info, (int options, FILE *out), (options, out))
ALIAS(int, malloc_trim, (size_t pad), (pad))
ALIAS(size_t, malloc_usable_size, (void *block), (block))
ALIAS(int, posix_memalign, (void **out, size_t align, size_t size),
      (out, align, size))

#define VOID_ALIAS(alias, name, params, args) \
	exported void alias params;           \
	exported void alias params            \
	{                                     \
		name args;                    \
	}

VOID_ALIAS(__free, free, (void *block), (block))
VOID_ALIAS(__libc_free, free, (void *block), (block))
VOID_ALIAS(__libc_cfree, free, (void *block), (block))
VOID_ALIAS(__malloc_stats, malloc_stats, (void), ())

/* The heap is whole at every instruction: fork needs no preparation. */
#define EMPTY_HOOK(name)          \
	exported void name(void); \
	exported void name(void)  \
	{                         \
	}

EMPTY_HOOK(__malloc_fork_lock_parent)
EMPTY_HOOK(__malloc_fork_unlock_parent)
EMPTY_HOOK(__malloc_fork_unlock_child)
/* Nothing belongs to a thread, so its end frees nothing. */
EMPTY_HOOK(__malloc_arena_thread_freeres)

/* libc's malloc extends its heap by this; nobody else asks. */
exported void *__glibc_morecore(ptrdiff_t size);
exported void *__glibc_morecore(ptrdiff_t size)
{
	(void)size;
	return NULL;
}
