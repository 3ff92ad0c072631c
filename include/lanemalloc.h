/* lanemalloc: a malloc that never makes one thread wait for another
 *
 * A program needs nothing of this header to use the library: preload
 * liblanemalloc.so, or link it, and malloc, free and the C++ operators are
 * its own. Here is what goes beyond them. Every function may be called from
 * any thread, in signal handlers, before main and after it, and none of them
 * waits, allocates or touches errno.
 */
#ifndef LANEMALLOC_H
#define LANEMALLOC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LANEMALLOC_VERSION_MAJOR 1
#define LANEMALLOC_VERSION_MINOR 0
#define LANEMALLOC_VERSION_PATCH 0

/* The version of the library that runs, "major.minor.patch". */
const char *lanemalloc_version(void);

/* How this process is served: "mm_cid", "cpu_id" (CPU caches on restartable
 * sequences, by that index) or "direct" (no caches). *why, where why is not
 * NULL, becomes one line of reason, which names the mode, too. Both strings
 * live for ever. */
const char *lanemalloc_mode(const char **why);

/* GAUGE and COUNTER(name, unit, help): each a uint64_t of struct
 * lanemalloc_stats, in this order; a counter only rises. The unit is "bytes",
 * "ns", or "" of a count. New ones are added at the end only. */
#define LANEMALLOC_STATS_KINDS(GAUGE, COUNTER)                                 \
	GAUGE(live_size, "bytes", "in blocks that the program holds")          \
	GAUGE(live_large_size, "bytes", "of these, in runs of their own")      \
	GAUGE(cached_size, "bytes", "in the CPU caches, free to use at once")  \
	GAUGE(slab_free_size, "bytes", "free objects in slabs")                \
	GAUGE(free_dirty_size, "bytes",                                        \
	      "free in the page heap, still resident")                         \
	GAUGE(free_clean_size, "bytes", "free in the page heap, not resident") \
	COUNTER(purged_size, "bytes", "given back to the system since start")  \
	GAUGE(metadata_size, "bytes", "resident metadata")                     \
	GAUGE(reserved_size, "bytes", "addresses that the heap may grow into") \
	GAUGE(committed_size, "bytes", "address space made usable")            \
	GAUGE(budget_size, "bytes", "free memory that is kept before purging") \
	GAUGE(nr_cpu_caches, "", "CPU caches in use")                          \
	GAUGE(nr_slabs, "", "slabs in use")                                    \
	GAUGE(nr_large, "", "large blocks in use")                             \
	COUNTER(nr_refills, "", "batches taken from slabs by CPU caches")      \
	COUNTER(nr_flushes, "", "batches given by CPU caches to slabs")        \
	COUNTER(nr_aborts, "",                                                 \
		"fast paths that missed and hit when tried again")             \
	COUNTER(nr_direct, "", "calls served by the direct path")              \
	COUNTER(nr_remote_frees, "", "objects given to slabs of other CPUs")   \
	COUNTER(nr_remote_slabs, "", "slabs sent to another CPU's inbox")      \
	COUNTER(nr_foreign_frees, "", "frees of memory of another malloc")     \
	COUNTER(nr_steals, "", "slabs adopted from another CPU")               \
	COUNTER(nr_drains, "", "CPU caches emptied from outside")              \
	COUNTER(nr_purges, "", "calls that gave memory back")                  \
	COUNTER(nr_out_of_memory, "", "requests that failed")                  \
	COUNTER(slab_purged_size, "bytes",                                     \
		"given back of free objects in slabs")                         \
	COUNTER(nr_fitted_classes, "",                                         \
		"size classes made for what is asked for")                     \
	GAUGE(limited_size, "bytes", "of units that count against the limits") \
	GAUGE(limit_soft_size, "bytes",                                        \
	      "the soft limit, own or cgroup's; 0: none")                      \
	GAUGE(limit_hard_size, "bytes", "the hard limit; 0: none")             \
	COUNTER(nr_limit_hits, "", "times that the hard limit left no room")   \
	COUNTER(nr_pressures, "", "times that all was given back, as asked")   \
	GAUGE(pressure_reason, "",                                             \
	      "of the last: 1 soft limit, 2 hard, 3 cgroup, 4 services")       \
	COUNTER(hugepage_size, "bytes", "asked for as hugepages")              \
	GAUGE(small_fault_ns, "ns",                                            \
	      "of a small page's first touch, by hugepage=auto")               \
	GAUGE(hugepage_fault_ns, "ns", "of a hugepage's first touch")
#define LANEMALLOC_STATS(X) LANEMALLOC_STATS_KINDS(X, X)

struct lanemalloc_stats {
#define LANEMALLOC_STATS_FIELD(name, unit, help) uint64_t name;
	LANEMALLOC_STATS(LANEMALLOC_STATS_FIELD)
#undef LANEMALLOC_STATS_FIELD
};

/* Fills at most size bytes of *out, so that a program built against an older
 * or newer header works; what the library does not know is set to zero.
 * Returns how many bytes it knows. Takes time in proportion to the heap
 * (about 2 us per MiB of small blocks); the numbers are a snapshot that other
 * threads may have changed meanwhile. */
size_t lanemalloc_stats(struct lanemalloc_stats *out, size_t size);

/* The same as one JSON object; like snprintf, at most size bytes with the
 * final NUL, and returns the length of the whole text. */
size_t lanemalloc_stats_json(char *buf, size_t size);

/* X(name, unit, help): each a uint64_t of struct lanemalloc_class_stats, in
 * this order. New ones are added at the end only, behind the histogram. */
#define LANEMALLOC_CLASS_STATS(X)                        \
	X(size, "bytes", "of an object")                 \
	X(slab_size, "bytes", "of a slab")               \
	X(slab_objects, "", "objects in a slab")         \
	X(nr_slabs, "", "slabs in use")                  \
	X(nr_live, "", "objects that the program holds") \
	X(nr_cached, "", "objects in CPU caches")        \
	X(nr_free, "", "free objects in slabs")

/* Slabs by the share of their objects that is not free in the slab: [0] none,
 * [1] to [8] more than so many eighths less one, but not all, [9] all. */
#define LANEMALLOC_SHARES 10

struct lanemalloc_class_stats {
#define LANEMALLOC_STATS_FIELD(name, unit, help) uint64_t name;
	LANEMALLOC_CLASS_STATS(LANEMALLOC_STATS_FIELD)
#undef LANEMALLOC_STATS_FIELD
	uint64_t nr_slabs_by_share[LANEMALLOC_SHARES];
};

/* Fills nr structs, each of size bytes (sizeof(*out) of the header that the
 * program was built with), with the size classes; those behind the last, and
 * what the library does not know, are set to zero. Returns how many classes
 * there are, 0 where there is no memory to count in. Otherwise as
 * lanemalloc_stats(). */
size_t lanemalloc_stats_classes(struct lanemalloc_class_stats *out, size_t size,
				size_t nr);

/* As above, of CPU caches, where one is or was in use. The number is the
 * index that lanemalloc_mode() names: no CPU's where that is mm_cid. */
#define LANEMALLOC_CPU_STATS_KINDS(GAUGE, COUNTER)                       \
	GAUGE(number, "", "of the CPU, or the index that stands for it") \
	GAUGE(cached_size, "bytes", "in its cache, free to use at once") \
	COUNTER(nr_refills, "", "batches taken from slabs")              \
	COUNTER(nr_flushes, "", "batches given to slabs")                \
	COUNTER(nr_aborts, "",                                           \
		"fast paths that missed and hit when tried again")       \
	COUNTER(nr_direct, "", "calls served by the direct path")
#define LANEMALLOC_CPU_STATS(X) LANEMALLOC_CPU_STATS_KINDS(X, X)

struct lanemalloc_cpu_stats {
#define LANEMALLOC_STATS_FIELD(name, unit, help) uint64_t name;
	LANEMALLOC_CPU_STATS(LANEMALLOC_STATS_FIELD)
#undef LANEMALLOC_STATS_FIELD
};

/* Likewise; returns how many CPU caches there are. */
size_t lanemalloc_stats_cpus(struct lanemalloc_cpu_stats *out, size_t size,
			     size_t nr);

/* As lanemalloc_stats_json(), with "classes" and "cpus" besides: some 300 bytes
 * for each class that has slabs, 150 for each CPU. */
size_t lanemalloc_stats_detail_json(char *buf, size_t size);

/* All of it as Prometheus reads it (text format 0.0.4): sizes are
 * lanemalloc_NAME_bytes, counts lanemalloc_NAME, what only rises ends in
 * _total; classes have the labels "class" and "size", CPUs "cpu". */
size_t lanemalloc_stats_prometheus(char *buf, size_t size);

/* Empties all CPU caches and gives all free memory back to the system now.
 * Returns the bytes given back. Takes time in proportion to what it finds. */
size_t lanemalloc_purge(void);

/* Looks at all blocks: with checks=full those of slabs and those that were
 * freed, with hardened=1 what waits to serve again, with guard=N the guarded
 * ones. What was written beside a block, or to one after its free, ends the
 * program with a report. Takes time in proportion to the heap; without these
 * options it does nothing. */
void lanemalloc_check(void);

/* How much memory the heap may have, in bytes; 0: no limit. What counts is its
 * units of 32 KiB that may be resident, in use or free, each with what is kept
 * about it; see docs/limits.md. New fields are added at the end only. */
struct lanemalloc_limits {
	uint64_t soft_size; /* beyond, all that can goes back */
	uint64_t hard_size; /* never passed: what has no room is ENOMEM */
};

/* Sets the limits to the first `size` bytes of *set, where set is not NULL,
 * leaving what those do not have; fills at most size bytes of *now, where now
 * is not NULL, with what they are then. Returns how many bytes it knows. A
 * limit below what is in use gives back all that can be, before it returns, and
 * the heap does not grow until enough is freed. */
size_t lanemalloc_limit(const struct lanemalloc_limits *set,
			struct lanemalloc_limits *now, size_t size);

/* From now on a helper thread gives memory back while the program sleeps. It
 * exists in short lives, born by calls of malloc and free; this gives birth to
 * the first. 0, also where one lives already; -ENOTSUP where the option
 * `reclaimer` is off; -EPERM in a sandbox; or another negated errno: then calls
 * of malloc and free do its work. Programs that use the shared library need not
 * call it (their first thread does); programs with the static library may. */
int lanemalloc_reclaimer_start(void);

/* The profile: while it is on, blocks are sampled with the stacks that allocate
 * them and followed until they are freed; see docs/profiling.md. It is turned
 * on and off at any time, by any thread. start: 0, also where it is on already,
 * or -ENOMEM. What was sampled before a stop stays, and a later start goes on.
 */
int lanemalloc_profile_start(void);
void lanemalloc_profile_stop(void);

/* Writes the profile, on or off, to a file that is whole or not there: `path`,
 * as text for google-pprof where it ends in ".heap", else as pprof's
 * profile.proto in gzip. NULL: PROGRAM.PID.NUMBER.pb.gz, or .heap, as the
 * options profile_dir and profile_form say. 0, -ENODATA where there never was
 * one, or another negated errno. Takes time in proportion to the stacks. */
int lanemalloc_profile_dump(const char *path);

#ifdef __cplusplus
}
#endif

#endif
