/* modes: all no-qemu */
/* a block freed twice, with nothing between: by free and by its relatives */
#include "fault.h"

FAULT(at_once, NULL, 1, 16, 100, 1000, 5000, 16384, 32768)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	free(opaque(p));
	free(opaque(p));
	flush_caches(); /* the thread may have changed its CPU between them */
}

/* A large block's units are nobody's as soon as they are free. */
FAULT(large, NULL, 32769, 100000, 262145, 1 << 20, 2 << 20, 64 << 20)
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

FAULT(by_two_threads, NULL, 100, 5000)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	for (int i = 0; i < 2; i++)
		thread_run(free_it, p);
	flush_caches();
}

FAULT(by_delete, NULL, 100)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	free(opaque(p));
	LOOK(void (*)(void *), "_ZdlPv")(opaque(p));
	flush_caches();
}

FAULT(by_realloc, NULL, 100, 20000)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	announce("realloc of %p: already free", p);
	must(!realloc(opaque(p), opaque((size_t)0)));
	must(!realloc(opaque(p), opaque((size_t)0)));
	flush_caches();
}

/* With the checks on, the second free never returns. */
FAULT(checked, "checks=1", 1, 100, 1000, 5000, 32768)
{
	void *p = malloc(size);

	announce("free of %p: already free", p);
	free(opaque(p));
	free(opaque(p));
	_exit(0);
}
FAULT_ALSO(checked, "checks=fast", 1, 100, 1000, 5000, 32768)

FAULT_MAIN()
