/* layer 6.5: view: where a reader from outside finds everything
 *
 * One constant object (include/lanemalloc_view.h), filled by the linker and by
 * relocation, with the addresses of what all layers keep and the offsets in it.
 * No code, and nothing that anybody here reads: what the layers say of their
 * words holds for a reader, too, who sees them without any order.
 */
#include "base/version.h"
#include "cpucache/areas.h"
#include "cpucache/rseq.h"
#include "front/outside.h"
#include "front/quarantine.h"
#include "front/ring.h"
#include "guard/pool.h"
#include "lanemalloc.h"
#include "lanemalloc_view.h"
#include "pageheap/budget.h"
#include "pageheap/limit.h"
#include "sample/chance.h"
#include "sample/live.h"
#include "sample/sampler.h"
#include "sample/trace.h"
#include "slab/bin_set.h"
#include "slab/slab.h"
#include "system/config.h"

static const char version[] = VERSION;

/* What has an address only when it is loaded is filled by relocation. */
#define ADDRESS(object) (uint64_t)(object)
#define OPTION(name) (offsetof(struct config, name) / sizeof(uint64_t))

/* The owner in a slab's word. */
#define OWNER_AT \
	(offsetof(struct span, word) + offsetof(struct slab_word, owner))

#define GENERATION_AT \
	(offsetof(struct span, word) + offsetof(struct slab_word, generation))

/* clang-format off */
#define REGIONS_VIEW                                                    \
	.regions = ADDRESS(regions),                                    \
	.nr_regions = NR_REGIONS_MOST,                                  \
	.region_stride = sizeof(struct region),                         \
	.region_ready = REGION_READY,                                   \
	.region_state_at = offsetof(struct region, state),              \
	.region_nr_units_at = offsetof(struct region, nr_units),        \
	.region_nr_committed_at = offsetof(struct region, nr_committed), \
	.region_nr_used_at = offsetof(struct region, nr_used),          \
	.region_nr_mapped_at = offsetof(struct region, nr_mapped),      \
	.region_base_at = offsetof(struct region, base),                \
	.region_tags_at = offsetof(struct region, tags),                \
	.region_spans_at = offsetof(struct region, spans),              \
	.region_bits_at = offsetof(struct region, bits),                \
	.region_dirty_at = offsetof(struct region, dirty),              \
	.region_guards_at = offsetof(struct region, guards),            \
	.unit_size = UNIT_SIZE,                                         \
	.tag_stride = sizeof(struct unit_tag),                          \
	.tag_start_at = offsetof(struct unit_tag, start),               \
	.tag_class_at = offsetof(struct unit_tag, lane),                \
	.tag_class_shift = 2,                                           \
	.class_large = CLASS_LARGE,                                     \
	.span_stride = sizeof(struct span),                             \
	.span_nr_units_at = offsetof(struct span, nr_units),            \
	.span_owner_at = OWNER_AT,                                      \
	.span_generation_at = GENERATION_AT,                            \
	.span_clean_at = offsetof(struct span, clean),                  \
	.bits_stride = UNIT_BITS_WORDS * sizeof(uint64_t)

#define CLASSES_VIEW                                                    \
	.classes = ADDRESS(size_classes),                               \
	.nr_classes = NR_CLASSES,                                       \
	.nr_fixed = NR_FIXED_CLASSES,                                   \
	.nr_lanes = NR_LANES,                                           \
	.class_stride = sizeof(struct size_class),                      \
	.class_size_at = offsetof(struct size_class, size),             \
	.class_nr_objects_at = offsetof(struct size_class, nr_objects), \
	.class_nr_units_at = offsetof(struct size_class, nr_units),     \
	.class_lane_at = offsetof(struct size_class, lane),             \
	.class_slots_at = offsetof(struct size_class, slots),           \
	.class_lane_slots_at = offsetof(struct size_class, lane_slots)

#define CACHES_VIEW                                                     \
	.caches = ADDRESS(cpu_caches),                                  \
	.nr_caches = NR_IDS_MOST,                                       \
	.cache_stride = sizeof(struct cpu_cache),                       \
	.cache_areas_at = offsetof(struct cpu_cache, areas),            \
	.cache_refills_at = offsetof(struct cpu_cache, nr_refills),     \
	.cache_flushes_at = offsetof(struct cpu_cache, nr_flushes),     \
	.cache_aborts_at = offsetof(struct cpu_cache, nr_aborts),       \
	.cache_direct_at = offsetof(struct cpu_cache, nr_direct),       \
	.lane_top_at = offsetof(struct lane, top),                      \
	.lane_end_at = offsetof(struct lane, end),                      \
	.bins = ADDRESS(bin_sets),                                      \
	.bins_size = sizeof(struct bin_set),                            \
	.bins_remote_frees_at = offsetof(struct bin_set, nr_remote_frees), \
	.bins_remote_slabs_at = offsetof(struct bin_set, nr_remote_slabs), \
	.bins_steals_at = offsetof(struct bin_set, nr_steals)

#define BUDGET_VIEW                                                     \
	.budget = ADDRESS(&budget),                                     \
	.budget_units_at = offsetof(struct budget, units),              \
	.budget_bonus_at = offsetof(struct budget, bonus_size),         \
	.budget_gap_at = offsetof(struct budget, gap_size),             \
	.budget_peak_at = offsetof(struct budget, peak),                \
	.budget_purged_at = offsetof(struct budget, purged_size),       \
	.budget_nr_purges_at = offsetof(struct budget, nr_purges),      \
	.options = ADDRESS(config_options),                             \
	.nr_options = NR_CONFIG_OPTIONS,                                \
	.option_stride = sizeof(struct config_option),                  \
	.option_values = ADDRESS(&config),                              \
	.option_purge_budget = OPTION(purge_budget),                    \
	.option_purge_delay = OPTION(purge_delay),                      \
	.option_profile_interval = OPTION(profile_interval)

#define LIMIT_VIEW                                                      \
	.limit = ADDRESS(&limit),                                       \
	.limit_soft_at = offsetof(struct limit, soft_size),             \
	.limit_cgroup_at = offsetof(struct limit, cgroup_size),         \
	.limit_hard_at = offsetof(struct limit, hard_size),             \
	.limit_hits_at = offsetof(struct limit, nr_hits),               \
	.limit_served_at = offsetof(struct limit, nr_served),           \
	.limit_last_at = offsetof(struct limit, last),                  \
	.limit_unit_size = LIMIT_UNIT_SIZE,                             \
	.limit_soft_keep = BUDGET_SOFT_KEEP

#define GUARDS_VIEW                                                     \
	.quarantines = ADDRESS(quarantine_shards),                      \
	.nr_quarantines = QUARANTINE_SHARDS,                            \
	.quarantine_stride = sizeof(struct quarantine_shard),           \
	.quarantine_size_at = offsetof(struct quarantine_shard, held),  \
	.rings = ADDRESS(ring_areas),                                   \
	.ring_none = PERCPU_NO_AREA,                                    \
	.nr_rings = NR_RINGS,                                           \
	.ring_stride = sizeof(struct ring),                             \
	.ring_nr_places_at = offsetof(struct ring, nr_places),          \
	.ring_slots_at = offsetof(struct ring, slots),                  \
	.pool = ADDRESS(&pool_made),                                    \
	.pool_nr_at = offsetof(struct pool, nr),                        \
	.pool_slots_at = offsetof(struct pool, slots),                  \
	.pool_stride = sizeof(struct slot),                             \
	.pool_live = SLOT_LIVE,                                         \
	.pool_word_at = offsetof(struct slot, word),                    \
	.pool_size_at = offsetof(struct slot, story.size)

#define PROFILE_VIEW                                                    \
	.profile_on = ADDRESS(&sample_gate.on),                         \
	.profile_on_mask = SAMPLE_FOLLOWED,                             \
	.profile_tables = ADDRESS(&sampler_tables),                     \
	.profile_weight_shift = CHANCE_SHIFT,                           \
	.profile_samples = ADDRESS(&sampler_counts.nr_samples),         \
	.profile_dropped = ADDRESS(&sampler_counts.nr_dropped),         \
	.record_counts_at = offsetof(struct trace, counts),             \
	.record_sites_at = offsetof(struct trace, sites),               \
	.live_stride = sizeof(struct live_info),                        \
	.live_size_bits = LIVE_SIZE_BITS,                               \
	.live_record_at = offsetof(struct live_info, trace),            \
	.count_allocs = TRACE_ALLOCS,                                   \
	.count_alloc_bytes = TRACE_ALLOC_BYTES,                         \
	.count_alloc_objects = TRACE_ALLOC_OBJECTS,                     \
	.count_alloc_space = TRACE_ALLOC_SPACE,                         \
	.count_frees = TRACE_FREES,                                     \
	.count_freed_bytes = TRACE_FREED_BYTES,                         \
	.count_freed_objects = TRACE_FREED_OBJECTS,                     \
	.count_freed_space = TRACE_FREED_SPACE,                         \
	.count_lifetime = TRACE_LIFETIME,                               \
	.count_peak_objects = TRACE_PEAK_OBJECTS,                       \
	.count_peak_space = TRACE_PEAK_SPACE,                           \
	.switch_word = ADDRESS(&outside_switch),                        \
	.count_freed_short = TRACE_FREED_SHORT,                         \
	.count_freed_middle = TRACE_FREED_MIDDLE,                       \
	.count_freed_long = TRACE_FREED_LONG,                           \
	.count_grown_objects = TRACE_GROWN_OBJECTS,                     \
	.count_grown_space = TRACE_GROWN_SPACE,                         \
	.count_freed_away = TRACE_FREED_AWAY,                           \
	.count_freed_by_other = TRACE_FREED_BY_OTHER,                   \
	.live_class_bits = LIVE_CLASS_BITS,                             \
	.live_region_bits = LIVE_REGION_BITS,                           \
	.live_life_at = offsetof(struct live_info, life)
/* clang-format on */

exported const struct lanemalloc_view lanemalloc_view __attribute__((used)) = {
	.magic = LANEMALLOC_VIEW_MAGIC,
	.version = LANEMALLOC_VIEW_VERSION,
	.size = sizeof(struct lanemalloc_view),
	.library_version = ADDRESS(version),
	.mode = ADDRESS(&rseq_state.mode),
	.mode_why = ADDRESS(&rseq_state.why),
	REGIONS_VIEW,
	CLASSES_VIEW,
	CACHES_VIEW,
	BUDGET_VIEW,
	PROFILE_VIEW,
	LIMIT_VIEW,
	GUARDS_VIEW,
};
