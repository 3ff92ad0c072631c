/* layer 7.3: heap: what a process's heap holds; contract in heap.h */
#include "command/heap.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command/process.h"
#include "command/waiting.h"
#include "command/walk.h"

#define CACHES_STEP 64u
#define EMPTY_STEPS 16u /* after so many the rest is taken for empty */
#define BATCH_SIZE_MOST 65536
#define SLOTS_MOST 65536 /* of guarded blocks */

/* What moved while the heap was read is known by these. */
struct moving {
	uint64_t cached_size, claimed_size, nr_batches, nr_direct;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* All rows, lanes alone included. */
static char *classes_read(struct image *image, const struct root *root)
{
	const struct lanemalloc_view *v = &root->view;
	size_t size = v->nr_lanes * v->class_stride;
	char *rows = malloc(size);

	if (rows && !image_read(image, v->classes, rows, size)) {
		free(rows);
		rows = NULL;
	}
	return rows;
}

static uint64_t row_field(const struct lanemalloc_view *v, const char *rows,
			  uint64_t row, uint64_t at, size_t size)
{
	return walk_field(rows + row * v->class_stride, v->class_stride, at,
			  size);
}

static void classes_note(const struct lanemalloc_view *v, const char *rows,
			 struct heap *heap)
{
	heap->nr_classes = (unsigned)v->nr_classes;
	for (unsigned i = 1; i < heap->nr_classes; i++) {
		struct heap_class *k = &heap->classes[i];

		k->size = (uint32_t)row_field(v, rows, i, v->class_size_at, 4);
		k->nr_objects = (uint32_t)row_field(v, rows, i,
						    v->class_nr_objects_at, 2);
		k->nr_units = (uint32_t)row_field(v, rows, i,
						  v->class_nr_units_at, 2);
		if (!k->size)
			k->nr_objects = 0;
		else if (i >= v->nr_fixed)
			heap->stats.nr_fitted_classes++;
	}
}

/* Rows behind the classes are the remote lanes of all of them, then the lane of
 * what is far, which is no class's: an index beyond the last. */
static unsigned row_class(const struct lanemalloc_view *v, unsigned row)
{
	return row < v->nr_classes ? row : row - (unsigned)v->nr_classes + 1;
}

static uint64_t area_size(const struct lanemalloc_view *v, const char *rows)
{
	uint64_t last = v->nr_fixed - 1;
	uint64_t size = row_field(v, rows, last, v->class_slots_at, 4) +
			8 * row_field(v, rows, last, v->class_lane_slots_at, 4);

	size += 8; /* a word behind them */
	return (size + v->unit_size - 1) & ~(v->unit_size - 1);
}

/* What one lane area holds. Its last word is where closed lanes have their top,
 * also one that is being opened and has an end already. */
static uint64_t area_read(struct image *image, const struct lanemalloc_view *v,
			  const char *rows, uint64_t address, struct heap *heap)
{
	uint64_t size = 0, count, most, at, slots, top;
	uint64_t none = address + area_size(v, rows) - 8;
	char lanes[65536];
	struct piece piece = { address, sizeof(lanes) };

	image_read_pieces(image, &piece, 1, lanes);
	for (unsigned row = 1; row + 1 < v->nr_lanes; row++) {
		at = 8 * row_field(v, rows, row, v->class_lane_at, 2);
		top = walk_field(lanes, sizeof(lanes), at + v->lane_top_at, 8);
		if (top == none ||
		    !walk_field(lanes, sizeof(lanes), at + v->lane_end_at, 8))
			continue;
		slots = address + row_field(v, rows, row, v->class_slots_at, 4);
		count = (top + 8 - slots) / 8;
		most = row_field(v, rows, row, v->class_lane_slots_at, 4);
		if (count > most) {
			heap->nr_odd++;
			continue;
		}
		size += count * row_field(v, rows, row, v->class_size_at, 4);
		heap->classes[row_class(v, row)].nr_cached += count;
	}
	return size;
}

static struct heap_cpu *cpu_add(struct heap *heap)
{
	unsigned n = heap->nr_cpus;
	struct heap_cpu *cpus = heap->cpus;

	if (!(n & (n - 1)))
		cpus = realloc(cpus, (n ? 2 * n : 1) * sizeof(*cpus));
	if (!cpus)
		return NULL;
	heap->cpus = cpus;
	cpus[n] = (struct heap_cpu){ 0 };
	heap->nr_cpus++;
	return &cpus[n];
}

/* One cache; whether there is one. */
static bool cache_read(struct image *image, const struct lanemalloc_view *v,
		       const char *rows, const char *cache, unsigned id,
		       struct heap *heap)
{
	uint64_t stride = v->cache_stride;
	uint64_t areas = walk_field(cache, stride, v->cache_areas_at, 8);
	struct heap_cpu cpu = {
		.id = id,
		.has_lanes = areas != 0,
		.nr_refills = walk_field(cache, stride, v->cache_refills_at, 8),
		.nr_flushes = walk_field(cache, stride, v->cache_flushes_at, 8),
		.nr_aborts = walk_field(cache, stride, v->cache_aborts_at, 8),
		.nr_direct = walk_field(cache, stride, v->cache_direct_at, 8),
	};
	struct heap_cpu *slot;

	if (!areas && !cpu.nr_direct && !cpu.nr_refills)
		return false;
	if (areas)
		cpu.cached_size = area_read(image, v, rows, areas, heap) +
				  area_read(image, v, rows,
					    areas + area_size(v, rows), heap);
	slot = cpu_add(heap);
	if (slot)
		*slot = cpu;
	return true;
}

static void caches_read(struct image *image, const struct lanemalloc_view *v,
			const char *rows, struct heap *heap)
{
	size_t stride = v->cache_stride;
	char *buf = malloc(CACHES_STEP * stride);
	unsigned id, i, n, empty = 0;

	for (id = 0; buf && id < v->nr_caches && empty < EMPTY_STEPS;
	     id += CACHES_STEP) {
		struct piece piece = { v->caches + id * stride, 0 };

		n = (unsigned)v->nr_caches - id;
		n = n < CACHES_STEP ? n : CACHES_STEP;
		piece.size = n * stride;
		image_read_pieces(image, &piece, 1, buf);
		empty++;
		for (i = 0; i < n; i++)
			if (cache_read(image, v, rows, buf + i * stride, id + i,
				       heap))
				empty = 0;
	}
	free(buf);
}

static void caches_sum(struct heap *heap)
{
	struct lanemalloc_stats *s = &heap->stats;

	for (unsigned i = 0; i < heap->nr_cpus; i++) {
		s->cached_size += heap->cpus[i].cached_size;
		s->nr_refills += heap->cpus[i].nr_refills;
		s->nr_flushes += heap->cpus[i].nr_flushes;
		s->nr_aborts += heap->cpus[i].nr_aborts;
		s->nr_direct += heap->cpus[i].nr_direct;
		s->nr_cpu_caches += heap->cpus[i].has_lanes;
	}
}

static uint64_t claimed_units(struct image *image,
			      const struct lanemalloc_view *v)
{
	return root_word(image, v->budget + v->budget_units_at);
}

/* After the walk, the caches again. */
static void moving_read(struct image *image, const struct lanemalloc_view *v,
			const char *rows, struct moving *out)
{
	struct heap *again = calloc(1, sizeof(*again));

	*out = (struct moving){ 0 };
	if (!again)
		return;
	classes_note(v, rows, again);
	caches_read(image, v, rows, again);
	caches_sum(again);
	out->cached_size = again->stats.cached_size;
	out->nr_batches = again->stats.nr_refills + again->stats.nr_flushes;
	out->nr_direct = again->stats.nr_direct;
	out->claimed_size = (uint32_t)claimed_units(image, v) * v->unit_size;
	heap_free(again);
	free(again);
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static void error_note(struct heap *heap, const struct moving *after)
{
	struct lanemalloc_stats *s = &heap->stats;
	uint64_t batches = distance(after->nr_batches,
				    s->nr_refills + s->nr_flushes);

	heap->error = batches * BATCH_SIZE_MOST +
		      distance(after->nr_direct, s->nr_direct) * 4096 +
		      distance(after->cached_size, s->cached_size) +
		      2 * distance(after->claimed_size, heap->claimed_size);
}

static void budget_read(struct image *image, const struct root *root,
			struct heap *heap)
{
	const struct lanemalloc_view *v = &root->view;
	struct lanemalloc_stats *s = &heap->stats;
	uint64_t units = claimed_units(image, v), used, peak, bonus, gap;

	heap->claimed_size = (uint32_t)units * v->unit_size;
	s->free_dirty_size = (units >> 32) * v->unit_size;
	used = heap->claimed_size + s->free_dirty_size;
	if (s->committed_size > used)
		s->free_clean_size = s->committed_size - used;
	s->purged_size = root_word(image, v->budget + v->budget_purged_at);
	s->nr_purges = root_word(image, v->budget + v->budget_nr_purges_at);
	peak = root_half(image, v->budget + v->budget_peak_at) * v->unit_size;
	bonus = root_word(image, v->budget + v->budget_bonus_at);
	gap = root_word(image, v->budget + v->budget_gap_at);
	peak = peak > heap->claimed_size ? peak - heap->claimed_size : 0;
	s->budget_size = root_word(image, v->option_values +
						  8 * v->option_purge_budget) +
			 heap->claimed_size / 128 +
			 (bonus < peak ? bonus : peak) +
			 (gap < heap->claimed_size ? gap : heap->claimed_size);
	heap->purge_delay =
		root_word(image, v->option_values + 8 * v->option_purge_delay);
}

static void bins_read(struct image *image, const struct lanemalloc_view *v,
		      struct heap *heap)
{
	struct lanemalloc_stats *s = &heap->stats;
	size_t nr = v->nr_caches + 1;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t *sets = malloc(nr * 8);
	struct piece piece = { v->bins, nr * 8 };

	if (sets)
		image_read_pieces(image, &piece, 1, sets);
	for (size_t i = 0; sets && i < nr; i++) {
		if (!sets[i])
			continue;
		s->nr_remote_frees +=
			root_word(image, sets[i] + v->bins_remote_frees_at);
		s->nr_remote_slabs +=
			root_word(image, sets[i] + v->bins_remote_slabs_at);
		s->nr_steals += root_word(image, sets[i] + v->bins_steals_at);
		s->metadata_size += (v->bins_size + page - 1) & -page;
	}
	free(sets);
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Of the live guarded blocks. */
static uint64_t guarded_size(struct image *image,
			     const struct lanemalloc_view *v, struct heap *heap)
{
	uint64_t pool = root_word(image, v->pool), size = 0, nr, word;
	char *slots;

	if (!pool)
		return 0;
	nr = root_half(image, pool + v->pool_nr_at);
	if (nr > SLOTS_MOST) {
		heap->nr_odd++;
		return 0;
	}
	slots = malloc(nr * v->pool_stride + 1);
	if (slots && !image_read(image, pool + v->pool_slots_at, slots,
				 nr * v->pool_stride))
		nr = 0;
	for (uint64_t i = 0; slots && i < nr; i++) {
		const char *slot = slots + i * v->pool_stride;

		word = walk_field(slot, v->pool_stride, v->pool_word_at, 8);
		if ((word & 3) == v->pool_live)
			size += walk_field(slot, v->pool_stride,
					   v->pool_size_at, 8);
	}
	free(slots);
	return size;
}

/* Of blocks that the program freed and that no slab has yet. */
static uint64_t quarantine_size(struct image *image,
				const struct lanemalloc_view *v)
{
	uint64_t size = 0;

	for (uint64_t i = 0; i < v->nr_quarantines; i++)
		size += root_word(image, v->quarantines +
						 i * v->quarantine_stride +
						 v->quarantine_size_at);
	return size;
}

/* As lanemalloc_stats() does: live is what is neither free nor cached. */
static void blocks_sum(struct heap *heap)
{
	struct lanemalloc_stats *s = &heap->stats;
	uint64_t held = 0;

	for (unsigned i = 1; i < heap->nr_classes; i++) {
		struct heap_class *k = &heap->classes[i];
		uint64_t out = k->nr_slabs * k->nr_objects - k->nr_free;

		k->nr_live = minus(out, k->nr_cached);
		held += out * k->size;
		s->slab_free_size += k->nr_free * k->size;
		s->nr_slabs += k->nr_slabs;
		heap->pinned_size += k->pinned_size;
		heap->nr_quarter += k->nr_quarter;
	}
	if (s->cached_size > held)
		s->cached_size = held;
	s->live_size = held - s->cached_size + s->live_large_size;
}

static void mode_read(struct image *image, const struct root *root,
		      struct heap *heap)
{
	const struct lanemalloc_view *v = &root->view;
	static const char *const names[] = { "direct", "mm_cid", "cpu_id" };
	uint32_t mode = root_half(image, v->mode);
	uint64_t why = root_word(image, v->mode_why);

	strcpy(heap->mode, mode < 3 ? names[mode] : "unknown");
	image_read_text(image, why, heap->why, sizeof(heap->why));
	heap->profile_on = root_profile_is_on(image, root);
}

/* The smaller of both, where 0 is none. */
static uint64_t lower(uint64_t a, uint64_t b)
{
	return a && (a < b || !b) ? a : b;
}

static void limits_read(struct image *image, const struct lanemalloc_view *v,
			struct heap *heap)
{
	struct lanemalloc_stats *s = &heap->stats;
	uint64_t resident = heap->claimed_size + s->free_dirty_size, soft;

	s->limited_size = resident / v->unit_size * v->limit_unit_size;
	s->limit_soft_size =
		lower(root_word(image, v->limit + v->limit_soft_at),
		      root_word(image, v->limit + v->limit_cgroup_at));
	s->limit_hard_size = root_word(image, v->limit + v->limit_hard_at);
	s->nr_limit_hits = root_word(image, v->limit + v->limit_hits_at);
	s->nr_pressures = root_word(image, v->limit + v->limit_served_at);
	s->pressure_reason = root_half(image, v->limit + v->limit_last_at);
	if (!s->limit_soft_size)
		return;
	soft = s->limit_soft_size / v->limit_unit_size * v->unit_size;
	soft = minus(soft, heap->claimed_size);
	if (soft < v->limit_soft_keep)
		soft = v->limit_soft_keep;
	s->budget_size = lower(s->budget_size, soft);
}

#define STAT_AT(name) (offsetof(struct lanemalloc_stats, name) / 8)
#define NR_STATS_READ 29 /* by heap_read() */

/* Those that are kept in places of their own have no way to the view. */
static const size_t stats_unread[] = {
	STAT_AT(nr_foreign_frees), STAT_AT(nr_drains),
	STAT_AT(nr_out_of_memory), STAT_AT(slab_purged_size),
	STAT_AT(hugepage_size),	   STAT_AT(small_fault_ns),
	STAT_AT(hugepage_fault_ns)
};
#define NR_STATS_UNREAD (sizeof(stats_unread) / sizeof(stats_unread[0]))
_Static_assert(NR_STATS_READ + NR_STATS_UNREAD ==
		       sizeof(struct lanemalloc_stats) / 8,
	       "a new statistic is read here, or stands in the list");

static void stats_known(struct heap *heap)
{
	memset(heap->has_stats, true, sizeof(heap->has_stats));
	for (size_t i = 0; i < NR_STATS_UNREAD; i++)
		heap->has_stats[stats_unread[i]] = false;
}

static void resident_read(struct walk *walk, struct heap *heap)
{
	struct resident r;

	if (walk->image->without_smaps)
		return;
	heap->has_resident = process_resident(walk->image, &walk->places, &r);
	heap->resident_size = r.blocks;
	heap->resident_metadata = r.tables;
	heap->resident_whole = r.whole;
}

bool heap_read(struct image *image, const struct root *root, struct heap *heap,
	       heap_visit *visit, void *context)
{
	const struct lanemalloc_view *v = &root->view;
	struct walk walk = { .image = image,
			     .root = root,
			     .heap = heap,
			     .visit = visit,
			     .context = context,
			     .page_size = (uint64_t)sysconf(_SC_PAGESIZE) };
	char *rows = classes_read(image, root);
	struct moving after;
	uint64_t start = now_us();
	bool done;

	memset(heap, 0, sizeof(*heap));
	if (!rows)
		return image_fails(image, "its size classes cannot be read");
	stats_known(heap);
	mode_read(image, root, heap);
	classes_note(v, rows, heap);
	heap->claimed_size = (uint32_t)claimed_units(image, v) * v->unit_size;
	caches_read(image, v, rows, heap);
	caches_sum(heap);
	done = walk_heap(&walk);
	heap->walk_us = now_us() - start;
	moving_read(image, v, rows, &after);
	error_note(heap, &after);
	budget_read(image, root, heap);
	limits_read(image, v, heap);
	bins_read(image, v, heap);
	blocks_sum(heap);
	heap->stats.live_size =
		minus(heap->stats.live_size + guarded_size(image, v, heap),
		      quarantine_size(image, v) + waiting_size(&walk));
	resident_read(&walk, heap);
	free(rows);
	return done;
}

void heap_free(struct heap *heap)
{
	free(heap->cpus);
	heap->cpus = NULL;
	heap->nr_cpus = 0;
}
