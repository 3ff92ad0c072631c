/* lanemalloc_view: where a reader from outside finds the heap of a process
 *
 * The library exports one object, lanemalloc_view: constant, filled by the
 * linker and the loader, with a magic text at its beginning. A program outside
 * (the command `lanemalloc`, a debugger's script) finds it by its name in the
 * library's symbol table, or by the magic text in the process's memory or in a
 * core, and reads from there on: by process_vm_readv(), /proc/PID/mem or the
 * core's segments. The process runs on and runs no code for it.
 *
 * What is read changes meanwhile. Every array is typed for ever and never
 * unmapped, so what was an array once is one for good; numbers in it may be of
 * moments that lie apart, or torn. A reader checks each against what it may be.
 *
 * Names: `x_at` is an offset in bytes within a struct of the array that stands
 * above it, `x_stride` the size of such a struct; a field without either is an
 * address in the process, or a number. All are 64 bits wide.
 *
 * One word is there to be written: switch_word, by which who has the right to
 * write the process's memory turns the profile on and off; see there.
 */
#ifndef LANEMALLOC_VIEW_H
#define LANEMALLOC_VIEW_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LANEMALLOC_VIEW_MAGIC "lanemalloc view"

/* Another version means other meanings. New fields come at the end only and do
 * not change it; a reader looks at `size`. */
#define LANEMALLOC_VIEW_VERSION 2

/* clang-format off */
#define LANEMALLOC_VIEW_FIELDS(X)                                             \
	/* The library: its version as a text, the mode, why (a pointer) */   \
	X(library_version) X(mode) X(mode_why)                                \
	/* Regions: an array; ready where state is region_ready. base, tags,  \
	 * spans, bits, dirty and guards are pointers; nr_* are 32-bit words. \
	 * Tags, spans and bits have nr_committed entries, nr_used of which   \
	 * were ever in use. A word of dirty and guards is of 64 units: their \
	 * bits mean "may be resident, if it is free" and "its last page is   \
	 * a guard" */                                                        \
	X(regions) X(nr_regions) X(region_stride) X(region_ready)             \
	X(region_state_at) X(region_nr_units_at) X(region_nr_committed_at)    \
	X(region_nr_used_at) X(region_nr_mapped_at) X(region_base_at)         \
	X(region_tags_at) X(region_spans_at) X(region_bits_at)                \
	X(region_dirty_at) X(region_guards_at)                                \
	X(unit_size)                                                          \
	/* A tag: what begins at its unit. start: the low half of a slab's    \
	 * address; class: 16 bits, the class above class_shift bits          \
	 * (class_large: a run, whose length in units its span has) */        \
	X(tag_stride) X(tag_start_at) X(tag_class_at) X(tag_class_shift)      \
	X(class_large)                                                        \
	/* A span: nr_units of a run (32 bits); owner of a slab (16 bits);    \
	 * clean: pages of a slab that were given back, by bits */            \
	X(span_stride) X(span_nr_units_at) X(span_owner_at) X(span_clean_at)  \
	/* Bytes of a unit's bits: a set bit is a free object */              \
	X(bits_stride)                                                        \
	/* Size classes, from 1 on; size (32 bits), nr_objects and nr_units   \
	 * of a slab, lane (16 bits, in words), slots and lane_slots of an    \
	 * area (32 bits). Rows from nr_classes to nr_lanes describe lanes    \
	 * alone; those from nr_fixed on have no size until they are made */  \
	X(classes) X(nr_classes) X(nr_fixed) X(nr_lanes) X(class_stride)      \
	X(class_size_at) X(class_nr_objects_at) X(class_nr_units_at)          \
	X(class_lane_at) X(class_slots_at) X(class_lane_slots_at)             \
	/* CPU caches by id: areas points to two lane areas, each as large as \
	 * the last fixed class's slots end and a word more, in whole units;  \
	 * a lane is where the slots of its top object and of the last that   \
	 * it may hold are, 64 bits each: 8 bytes below its slots for none.   \
	 * The second is 0 where it never held any. Counters are 64 bits */   \
	X(caches) X(nr_caches) X(cache_stride) X(cache_areas_at)              \
	X(cache_refills_at) X(cache_flushes_at) X(cache_aborts_at)            \
	X(cache_direct_at) X(lane_top_at) X(lane_end_at)                      \
	/* Bins: an array of pointers by id, nr_caches + 1 of them */         \
	X(bins) X(bins_size) X(bins_remote_frees_at)                          \
	X(bins_remote_slabs_at) X(bins_steals_at)                             \
	/* The page heap's counters: units (free and dirty << 32 | claimed),  \
	 * then bytes */                                                      \
	X(budget) X(budget_units_at) X(budget_bonus_at) X(budget_gap_at)      \
	X(budget_peak_at) X(budget_purged_at) X(budget_nr_purges_at)          \
	/* Options in the order of the table in docs/options.md: rows that    \
	 * begin with a pointer to the name, and values of 64 bits */         \
	X(options) X(nr_options) X(option_stride) X(option_values)            \
	X(option_purge_budget) X(option_purge_delay)                          \
	X(option_profile_interval)                                            \
	/* The profile: a 32-bit word, on or off; a struct of pointers to     \
	 * sites and index, their number of entries, pointer to records and   \
	 * their number of words, pointer to keys and their number of         \
	 * entries: eight words, zero before the first start. A site is an    \
	 * address; an index entry (32 bits) the number of the word where a   \
	 * record begins: hash, number of sites (32 bits), words (32 bits),   \
	 * counts, sites (32 bits each, site i stands at i - 1). Behind the   \
	 * keys (addresses of blocks) stand, for each, its size (the lowest   \
	 * live_size_bits of the first word) and its record (32 bits) */      \
	X(profile_on) X(profile_tables) X(profile_weight_shift)               \
	X(profile_samples) X(profile_dropped) X(record_counts_at)             \
	X(record_sites_at) X(live_stride) X(live_size_bits) X(live_record_at) \
	X(count_allocs) X(count_alloc_bytes) X(count_alloc_objects)           \
	X(count_alloc_space) X(count_frees) X(count_freed_bytes)              \
	X(count_freed_objects) X(count_freed_space) X(count_lifetime)         \
	X(count_peak_objects) X(count_peak_space)                             \
	/* 32 bits, written from outside: LANEMALLOC_SWITCH_*. The next slow  \
	 * call of malloc or free, by any thread, puts LANEMALLOC_SWITCH_NONE \
	 * in its place and does it */                                        \
	X(switch_word)                                                        \
	/* Limits: bytes, 0: none; counters; why the last was (32 bits); the  \
	 * bytes that a unit counts; free bytes kept beyond the soft one */   \
	X(limit) X(limit_soft_at) X(limit_cgroup_at) X(limit_hard_at)         \
	X(limit_hits_at) X(limit_served_at) X(limit_last_at)                  \
	X(limit_unit_size) X(limit_soft_keep)                                 \
	/* Freed blocks that wait: bytes, a 64-bit word of each shard */      \
	X(quarantines) X(nr_quarantines) X(quarantine_stride)                 \
	X(quarantine_size_at)                                                 \
	/* Guarded blocks: a pointer to their pool, 0: none. It has a number  \
	 * of slots (32 bits) and the slots: a word, whose lowest two bits    \
	 * are pool_live where a block is, and the block's size */            \
	X(pool) X(pool_nr_at) X(pool_slots_at) X(pool_stride) X(pool_live)    \
	X(pool_word_at) X(pool_size_at)                                       \
	/* More of the profile: counts of a record; in the first word of what \
	 * belongs to a key, above the size, a class and a region, and where  \
	 * a slab's life is (64 bits: its first unit << 32 | generation), the \
	 * one in which the block would lie. A slab's span has the generation \
	 * (32 bits) */                                                       \
	X(count_freed_short) X(count_freed_middle) X(count_freed_long)        \
	X(count_grown_objects) X(count_grown_space) X(count_freed_away)       \
	X(count_freed_by_other) X(live_class_bits) X(live_region_bits)        \
	X(live_life_at) X(span_generation_at)                                 \
	/* The bits of profile_on that mean the profile */                    \
	X(profile_on_mask)                                                    \
	/* Small freed blocks that wait: by id, as caches, the address of     \
	 * nr_rings rings, or a number up to ring_none; a ring has its places \
	 * and a pointer to them: addresses of blocks, 0: none */             \
	X(rings) X(ring_none) X(nr_rings) X(ring_stride)                      \
	X(ring_nr_places_at) X(ring_slots_at)
/* clang-format on */

enum lanemalloc_switch {
	LANEMALLOC_SWITCH_NONE,
	LANEMALLOC_SWITCH_PROFILE_ON,
	LANEMALLOC_SWITCH_PROFILE_OFF,
};

/* Above the switch stand the seconds that it is to be on, 0: until PROFILE_OFF.
 * Who wants it longer asks again in time, and who wants it no more does
 * nothing: it is on until all are over, and goes off at the first sample then.
 * PROFILE_OFF is the end for all, the program's own profile too. */
#define LANEMALLOC_SWITCH_SECONDS_SHIFT 8

struct lanemalloc_view {
	char magic[16];
	uint32_t version;
	uint32_t size; /* of this struct, in the process */
#define LANEMALLOC_VIEW_FIELD(name) uint64_t name;
	LANEMALLOC_VIEW_FIELDS(LANEMALLOC_VIEW_FIELD)
#undef LANEMALLOC_VIEW_FIELD
};

/* For readers alone: a program needs nothing of it. */
extern const struct lanemalloc_view lanemalloc_view;

#ifdef __cplusplus
}
#endif

#endif
