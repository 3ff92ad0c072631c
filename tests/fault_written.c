/* modes: all no-qemu */
/* writes behind a block and to one that was freed, where all checks are on */
#include "fault.h"

/* With memory tagging such a write is the program's end, by a signal. */
#define HARDENED "hardened=1,mte=off"

FAULT(behind, "checks=full", 1, 100, 1000, 5000, 40000)
{
	char *p = malloc(size);

	announce("free of %p: written behind its %zu bytes", p, size);
	((char *)opaque(p))[size] = 0;
	free(p);
	_exit(0);
}
FAULT_ALSO(behind, HARDENED, 1, 100, 1000, 5000, 40000)

/* Over the slack, the footer and the neighbours. */
FAULT(far_behind, "checks=full", 8, 100)
{
	char *p = malloc(size);

	announce("free of %p: written behind its end", p);
	memset(opaque(p), 0x41, size + 64);
	free(p);
	_exit(0);
}
FAULT_ALSO(far_behind, HARDENED, 8, 100)

FAULT(by_realloc, "checks=full", 100, 5000, 40000)
{
	char *p = malloc(size);

	announce("realloc of %p: written behind its %zu bytes", p, size);
	((char *)opaque(p))[size] = 0;
	p = realloc(opaque(p), 2 * size);
	_exit(p == NULL);
}
FAULT_ALSO(by_realloc, HARDENED, 100, 5000, 40000)

/* With ticks its page may have gone back before anybody looked. */
FAULT(after_free, "checks=full,quarantine=0,purge_delay=1000000", 16, 100, 1000,
      1500)
{
	char *p = malloc(size);

	announce("malloc of %p: written to after it was freed", p);
	announce("  bytes from %p on, %zu behind its start:", p + size / 2,
		 size / 2);
	free(p);
	((char *)opaque(p))[size / 2] ^= 1;
	for (unsigned i = 0; i < 100000; i++)
		opaque(malloc(size));
	_exit(0);
}

/* Its memory serves nobody meanwhile. */
static void waits_written(size_t size, size_t at)
{
	char *p = malloc(size);

	announce("quarantine of %p: written to after it was freed", p);
	free(p);
	((char *)opaque(p))[at] ^= 1;
	for (unsigned i = 0; i < 10000; i++)
		free(opaque(malloc(size)));
	_exit(0);
}

FAULT(in_quarantine, "checks=full,quarantine=64k", 16, 100, 1000, 1500)
{
	waits_written(size, size / 2);
}
FAULT_ALSO(in_quarantine, HARDENED ",quarantine=64k", 16, 48, 100)

/* What comes out of a ring is looked at by its first and last 64 bytes. */
FAULT(head_in_quarantine, HARDENED ",quarantine=64k", 100, 1000, 1500, 8000)
{
	waits_written(size, 63);
}

FAULT(end_in_quarantine, HARDENED ",quarantine=64k", 16, 120, 1016, 8184)
{
	waits_written(size, size - 1);
}

/* Found by the look at all blocks, live or freed. */
FAULT(live_at_exit, "checks=full", 1, 1000, 40000)
{
	char *p = malloc(size);

	announce("check at exit of %p: written behind its %zu bytes", p, size);
	((char *)opaque(p))[size] = 0;
	exit(0);
}

FAULT(freed_at_exit, HARDENED, 16, 100, 1000)
{
	char *p = malloc(size), *q = malloc(size);

	announce("check at exit of %p: written to after it was freed", p);
	announce("quarantine of %p: written to after it was freed", p);
	free(p);
	((char *)opaque(p))[size / 2] ^= 1;
	exit(q == NULL);
}
FAULT_ALSO(freed_at_exit, "checks=full", 16, 1000)

FAULT(by_check, "checks=full", 8, 1000)
{
	char *p = malloc(size);

	LANE(lanemalloc_check)();
	announce("check of %p: written behind its end", p);
	memset((char *)opaque(p) + size, 0x41, 24);
	LANE(lanemalloc_check)();
	_exit(0);
}

/* The report says where it is not: the place was right at start. */
FAULT(nowhere, "checks=full,report_file=nowhere", 8)
{
	char *p = malloc(size);

	announce("free of %p: already free", p);
	announce("  not written to nowhere: error 2, no such file");
	if (chdir("/proc"))
		_exit(1);
	free(p);
	free(opaque(p));
	_exit(0);
}

FAULT_MAIN()
