/* modes: all no-qemu */
/* a block freed twice, with nothing between: by free and by its relatives */
#include "fault.h"

static void at_once(size_t size)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	free(opaque(p));
	free(opaque(p));
	flush_caches(); /* the thread may have changed its CPU between them */
}

/* A large block's units are nobody's as soon as they are free. */
static void large(size_t size)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	announce("free of %p: not a block", p);
	free(opaque(p));
	free(opaque(p));
}

static void *free_it(void *p)
{
	free(p);
	return NULL;
}

static void by_two_threads(size_t size)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	for (int i = 0; i < 2; i++) {
		thread_run(free_it, p);
	}
	flush_caches();
}

static void by_delete(size_t size)
{
	void (*delete)(void *) =
		(void (*)(void *))dlsym(RTLD_DEFAULT, "_ZdlPv");
	void *p = malloc(size);

	announce("free of %p: already free", p);
	free(opaque(p));
	delete (opaque(p));
	flush_caches();
}

static void by_realloc(size_t size)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	announce("realloc of %p: already free", p);
	must(!realloc(opaque(p), opaque((size_t)0)));
	must(!realloc(opaque(p), opaque((size_t)0)));
	flush_caches();
}

/* With the checks on, the second free never returns. */
static void checked(size_t size)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	free(opaque(p));
	free(opaque(p));
	_exit(0);
}

static const struct fault_case cases[] = {
	{ "at-once", at_once, NULL, { 1, 16, 100, 1000, 5000, 16384, 32768 } },
	{ "large", large, NULL,
	  { 32769, 100000, 262145, 1 << 20, 2 << 20, 64 << 20 } },
	{ "by-two-threads", by_two_threads, NULL, { 100, 5000 } },
	{ "by-delete", by_delete, NULL, { 100 } },
	{ "by-realloc", by_realloc, NULL, { 100, 20000 } },
	{ "checked", checked, "checks=1", { 1, 100, 1000, 5000, 32768 } },
	{ "fast", checked, "checks=fast", { 1, 100, 1000, 5000, 32768 } },
};

FAULT_MAIN(cases)
