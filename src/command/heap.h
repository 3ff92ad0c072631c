/* layer 7.3: heap: what a process's heap holds, read from outside
 *
 * One walk over tags, spans and bits, as lanemalloc_stats() does it within, in
 * pieces of some thousand units; the caches are read before it and after. The
 * process runs on meanwhile: the numbers are of moments that lie apart, and
 * `error` bounds by how much live_size may be wrong for that:
 *
 *	error = what was refilled and flushed during the walk, at most a batch
 *		of 64 KiB each
 *	      + the change of what is cached
 *	      + the change of what the page heap has claimed, twice
 *
 * 0 if the process stands still, or is a core. A number that cannot be, as a
 * torn or a corrupted word gives it, is left out and counted (nr_odd). The walk
 * is bounded by nr_used of each region, and that by UNITS_MOST.
 */
#ifndef LANE_COMMAND_HEAP_H
#define LANE_COMMAND_HEAP_H

#include "command/root.h"
#include "lanemalloc.h"

#define CLASSES_MOST 256
#define FULLNESS 10 /* steps of the histogram */
#define RUN_SIZES 24
#define UNITS_MOST ((uint64_t)1 << 28) /* of a region: 8 TiB */

struct heap_class {
	uint32_t size, nr_objects, nr_units;
	uint64_t nr_slabs, nr_free, nr_cached, nr_live;
	uint64_t nr_quarter;	     /* slabs, at most a quarter in use */
	uint64_t pinned_size;	     /* free in slabs and not given back */
	uint64_t fullness[FULLNESS]; /* slabs by tenths in use */
};

struct heap_cpu {
	unsigned id;
	bool has_lanes;
	uint64_t cached_size;
	uint64_t nr_refills, nr_flushes, nr_aborts, nr_direct;
	uint64_t nr_slabs; /* that it owns */
};

struct heap {
	struct lanemalloc_stats stats; /* what the library would tell */
	bool has_stats[sizeof(struct lanemalloc_stats) / 8]; /* of these */
	uint64_t error, nr_odd, walk_us;
	char mode[16], why[128];

	unsigned nr_classes;
	struct heap_class classes[CLASSES_MOST];
	struct heap_cpu *cpus;
	unsigned nr_cpus;

	uint64_t claimed_size, pinned_size, nr_quarter;
	uint64_t nr_free_runs, longest_run; /* units */
	uint64_t free_runs[RUN_SIZES];	    /* by powers of two of units */

	bool has_resident;
	uint64_t resident_size; /* of the blocks' range, says the kernel */
	uint64_t resident_metadata, resident_whole;
	bool profile_on;
	uint64_t purge_delay;
};

/* What a visitor is told of, in the order of addresses. */
enum unit_kind { UNIT_FREE_CLEAN, UNIT_FREE_DIRTY, UNIT_SLAB, UNIT_LARGE };

struct unit_run {
	enum unit_kind kind;
	uint64_t address, nr_units;
	unsigned size_class;
	unsigned nr_used, nr_objects; /* of a slab; cached ones are used */
	uint32_t generation;	      /* of a slab: the one of its lives */
};

typedef void heap_visit(void *context, const struct unit_run *run);

/* visit may be NULL. False: image->error says why. */
bool heap_read(struct image *image, const struct root *root, struct heap *heap,
	       heap_visit *visit, void *context);
void heap_free(struct heap *heap);

#endif
