/* layer 6.6: wrappers: the calls of libc that a malloc must know about
 *
 *	pthread_create, thrd_create	the program gets threads: the heap
 *					checks the kernel, a helper is born
 *	dlopen, dlmopen			without RTLD_DEEPBIND
 *
 * Only in the shared library, where dlsym() finds the real ones behind us.
 * They are looked up in the constructor (real.h); a wrapper that runs earlier,
 * in another library's constructor, looks up its own. Never from inside an
 * allocation: dlsym takes the loader's lock and may allocate.
 *
 * libc's dlopen takes its return address for the caller: by it, it picks the
 * caller's namespace and searches the caller's RUNPATH. So the wrappers leave
 * by a jump, the return address being the program's own. Keep the call to the
 * real function last, with nothing live behind it; a library that only the
 * caller's RUNPATH finds is the test.
 *
 * RTLD_DEEPBIND would make a library prefer libc's malloc to this one, while
 * the rest of the process frees its blocks here.
 */
#define _GNU_SOURCE /* dlmopen */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include "entry/real.h"
#include "front/heap.h"
#include "system/config.h"

#ifdef __clang__
#define BY_JUMP
#define jump_return __attribute__((musttail)) return
#else
#define BY_JUMP __attribute__((optimize("O2"))) /* in debug builds too */
#define jump_return return
#endif

#ifndef RTLD_DEEPBIND /* musl has no such mode, and no dlmopen */
#define RTLD_DEEPBIND 0
#endif

typedef int pthread_create_fn(pthread_t *, const pthread_attr_t *,
			      void *(*)(void *), void *);
typedef int thrd_create_fn(thrd_t *, thrd_start_t, void *);
typedef void *dlopen_fn(const char *, int);

exported int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			    void *(*run)(void *), void *arg)
{
	pthread_create_fn *real = real_function(pthread_create);

	if (unlikely(!real))
		return EAGAIN;
	heap_threads_start();
	return real(thread, attr, run, arg);
}

exported int thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
	thrd_create_fn *real = real_function(thrd_create);

	if (unlikely(!real))
		return thrd_error;
	heap_threads_start();
	return real(thread, run, arg);
}

static force_inline int without_deepbind(int mode)
{
	return config.deepbind ? mode : mode & ~RTLD_DEEPBIND;
}

BY_JUMP exported void *dlopen(const char *file, int mode)
{
	dlopen_fn *real = real_function(dlopen);

	if (unlikely(!real))
		return NULL;
	jump_return real(file, without_deepbind(mode));
}

#ifdef LM_ID_NEWLM
typedef void *dlmopen_fn(Lmid_t, const char *, int);

BY_JUMP exported void *dlmopen(Lmid_t space, const char *file, int mode)
{
	dlmopen_fn *real = real_function(dlmopen);

	if (unlikely(!real))
		return NULL;
	jump_return real(space, file, without_deepbind(mode));
}
#endif
