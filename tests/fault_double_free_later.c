/* modes: all no-qemu */
/* a block freed twice, with other frees between */
#include "fault.h"

static void *blocks[3000];

static void take(size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = malloc(size);
}

/* Found when the cache's objects go back to their slabs, of which the first
 * may be empty and gone when the second arrives. */
FAULT(one_between, NULL, 16, 100, 1000, 5000, 20000)
{
	take(size);
	announce("free of %p: not a block", blocks[1500]);
	announce("free of %p: already free", blocks[1500]);
	free(blocks[1500]);
	free(blocks[1501]);
	free(opaque(blocks[1500]));
	for (size_t i = 0; i < 1500; i++)
		free(blocks[i]);
	flush_caches();
}

/* Its slab may be gone by then. */
FAULT(many_between, NULL, 16, 100, 1000, 5000, 20000)
{
	take(size);
	announce("free of %p: not a block", blocks[0]);
	announce("free of %p: already free", blocks[0]);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		free(blocks[i]);
	free(opaque(blocks[0]));
	flush_caches();
}

/* Back in its slab by then, which other blocks keep alive. */
FAULT(after_flush, NULL, 16, 100, 1000, 5000, 20000)
{
	take(size);
	announce("free of %p: already free", blocks[7]);
	free(blocks[7]);
	flush_caches();
	free(opaque(blocks[7]));
	flush_caches();
}

/* The slab itself is gone by then. */
FAULT(after_release, NULL, 100, 5000, 20000)
{
	take(size);
	announce("free of %p: already free", blocks[9]);
	announce("free of %p: not a block", blocks[9]);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		free(blocks[i]);
	flush_caches();
	free(opaque(blocks[9]));
	flush_caches();
}

FAULT(checked, "checks=1", 16, 100, 1000, 5000, 20000)
{
	take(size);
	announce("free of %p: already free", blocks[5]);
	free(blocks[5]);
	free(blocks[6]);
	free(blocks[7]);
	free(opaque(blocks[5]));
	_exit(0);
}
FAULT_ALSO(checked, "checks=fast", 16, 100, 1000, 5000, 20000)

FAULT_MAIN()
