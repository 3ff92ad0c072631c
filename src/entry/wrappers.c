/* layer 6.6: wrappers: the calls of libc that a malloc must know about
 *
 *	pthread_create, thrd_create	the program gets threads: the heap
 *					checks the kernel, starts the reclaimer
 *	dlopen, dlmopen			without RTLD_DEEPBIND
 *
 * Only in the shared library, where dlsym() finds the real ones behind us.
 * They are looked up in the constructor; a wrapper that runs earlier, in
 * another library's constructor, looks up its own. Never from inside an
 * allocation: dlsym takes the loader's lock and may allocate.
 *
 * libc's dlopen takes its return address for the caller: by it, it picks the
 * caller's namespace and searches the caller's RUNPATH. So the wrappers leave
 * by a jump, the return address being the program's own. Keep the call to the
 * real function last, with nothing live behind it; a library that only the
 * caller's RUNPATH finds is the test.
 *
 * Also here, as it needs the loader: where a plugin's C++ runtime is.
 *
 * RTLD_DEEPBIND would make a library prefer libc's malloc to this one, while
 * the rest of the process frees its blocks here.
 */
#define _GNU_SOURCE /* dlmopen */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include "base/atomic.h"
#include "entry/cxx_runtime.h"
#include "front/foreign.h"
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

/* Written once with the same value by whoever comes first; code is const, so
 * no order is needed to call it. */
static _Atomic(void *) real_pthread_create, real_thrd_create, real_dlopen;

static void *look_up(_Atomic(void *) *real, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	store_relaxed(real, found); // hint: NULL costs one more look-up
	return found;
}

static force_inline void *real_of(_Atomic(void *) *real, const char *name)
{
	void *found = load_relaxed(real); // hint: NULL costs a look-up

	return likely(found) ? found : look_up(real, name);
}

/* libc's own, for blocks that libc's own malloc made. */
static void find_libc_usable_size(void)
{
	union {
		void *found;
		size_t (*usable_size)(void *);
	} real = { dlsym(RTLD_NEXT, "malloc_usable_size") };

	foreign_set_usable_size(real.usable_size);
}

static __attribute__((constructor(102))) void wrappers_start(void)
{
	find_libc_usable_size();
	look_up(&real_pthread_create, "pthread_create");
	look_up(&real_thrd_create, "thrd_create");
	look_up(&real_dlopen, "dlopen");
}

exported int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			    void *(*run)(void *), void *arg)
{
	pthread_create_fn *real =
		real_of(&real_pthread_create, "pthread_create");

	if (unlikely(!real))
		return EAGAIN;
	heap_threads_start();
	return real(thread, attr, run, arg);
}

exported int thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
	thrd_create_fn *real = real_of(&real_thrd_create, "thrd_create");

	if (unlikely(!real))
		return thrd_error;
	heap_threads_start();
	return real(thread, run, arg);
}

/* RTLD_NOLOAD: one that the program has, in whatever scope. The handle is kept,
 * so that what was found stays. */
void *cxx_runtime_find(const char *name)
{
	static const char *const runtimes[] = { "libstdc++.so.6",
						"libc++abi.so.1",
						"libc++.so.1" };
	void *handle, *found = NULL;
	size_t i;

	for (i = 0; i < sizeof(runtimes) / sizeof(*runtimes) && !found; i++) {
		handle = dlopen(runtimes[i], RTLD_LAZY | RTLD_NOLOAD);
		found = handle ? dlsym(handle, name) : NULL;
	}
	return found;
}

static force_inline int without_deepbind(int mode)
{
	return config.deepbind ? mode : mode & ~RTLD_DEEPBIND;
}

BY_JUMP exported void *dlopen(const char *file, int mode)
{
	dlopen_fn *real = real_of(&real_dlopen, "dlopen");

	if (unlikely(!real))
		return NULL;
	jump_return real(file, without_deepbind(mode));
}

#ifdef LM_ID_NEWLM
typedef void *dlmopen_fn(Lmid_t, const char *, int);

BY_JUMP exported void *dlmopen(Lmid_t space, const char *file, int mode)
{
	static _Atomic(void *) real_dlmopen;
	dlmopen_fn *real = real_of(&real_dlmopen, "dlmopen");

	if (unlikely(!real))
		return NULL;
	jump_return real(space, file, without_deepbind(mode));
}
#endif
