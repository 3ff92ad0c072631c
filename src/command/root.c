/* layer 7.2: root: the library's view in an image; contract in root.h */
#include "command/root.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/symbol.h"

#define SCAN_MOST ((uint64_t)64 << 20) /* bytes of one range */
#define SCAN_STEP ((size_t)256 << 10)
#define VIEW_NAME "lanemalloc_view"

/* What the reader's own code counts on. */
static bool view_is_sane(const struct lanemalloc_view *v)
{
	return v->nr_regions <= 4096 && v->region_stride >= 64 &&
	       v->region_stride <= 65536 && v->unit_size >= 4096 &&
	       v->unit_size <= (1 << 24) &&
	       !(v->unit_size & (v->unit_size - 1)) && v->tag_stride >= 8 &&
	       v->tag_stride <= 256 && v->span_stride >= 8 &&
	       v->span_stride <= 1024 && v->bits_stride >= 8 &&
	       v->bits_stride <= 65536 && v->bits_stride % 8 == 0 &&
	       v->tag_start_at <= v->tag_stride - 4 &&
	       v->tag_class_at <= v->tag_stride - 2 &&
	       v->tag_class_shift < 16 &&
	       v->span_nr_units_at <= v->span_stride - 4 &&
	       v->span_owner_at <= v->span_stride - 2 &&
	       v->span_clean_at <= v->span_stride - 8;
}

static bool classes_are_sane(const struct lanemalloc_view *v)
{
	uint64_t last = v->class_stride - 4;

	return v->nr_classes >= 2 && v->nr_classes <= 256 &&
	       v->nr_lanes >= v->nr_classes && v->nr_lanes <= 1024 &&
	       v->nr_fixed >= 2 && v->nr_fixed <= v->nr_classes &&
	       v->class_large >= v->nr_classes && v->class_stride >= 8 &&
	       v->class_stride <= 1024 && v->class_size_at <= last &&
	       v->class_nr_objects_at <= last && v->class_nr_units_at <= last &&
	       v->class_lane_at <= last && v->class_slots_at <= last &&
	       v->class_lane_slots_at <= last;
}

static bool rest_is_sane(const struct lanemalloc_view *v)
{
	uint64_t last = v->cache_stride - 8;

	return v->nr_caches >= 1 && v->nr_caches <= 65536 &&
	       v->cache_stride >= 8 && v->cache_stride <= 65536 &&
	       v->cache_areas_at <= last && v->cache_refills_at <= last &&
	       v->cache_flushes_at <= last && v->cache_aborts_at <= last &&
	       v->cache_direct_at <= last && v->lane_top_at <= 64 &&
	       v->lane_end_at <= 64 && v->nr_options <= 4096 &&
	       v->option_stride >= 8 && v->option_stride <= 4096 &&
	       v->record_counts_at <= 1024 && v->record_sites_at <= 4096 &&
	       v->profile_weight_shift < 64 && v->live_stride >= 8 &&
	       v->live_stride <= 256 && v->live_size_bits >= 1 &&
	       v->live_size_bits <= 64 &&
	       v->live_record_at <= v->live_stride - 4 &&
	       v->live_class_bits <= 16 && v->live_region_bits <= 16 &&
	       v->live_size_bits + v->live_class_bits + v->live_region_bits <=
		       64;
}

static bool guards_are_sane(const struct lanemalloc_view *v)
{
	return v->limit_unit_size >= v->unit_size && v->nr_quarantines <= 64 &&
	       v->quarantine_stride <= 65536 && v->nr_rings <= 64 &&
	       v->ring_stride <= 4096 && v->pool_stride >= 8 &&
	       v->pool_stride <= 1024 &&
	       v->pool_word_at <= v->pool_stride - 8 &&
	       v->pool_size_at <= v->pool_stride - 8;
}

/* Not of a copy that nobody relocated: the page of the file that the view is in
 * may be mapped once more, behind read-only data. */
static bool is_relocated(struct image *image, const struct lanemalloc_view *v)
{
	char first;

	return image_read(image, v->classes, &first, 1);
}

/* What lies at an address, if it is a view. */
static bool view_read(struct image *image, uint64_t address, struct root *root)
{
	struct lanemalloc_view *v = &root->view;
	size_t head = offsetof(struct lanemalloc_view, library_version);

	memset(root, 0, sizeof(*root));
	if (!image_read(image, address, v, head) ||
	    memcmp(v->magic, LANEMALLOC_VIEW_MAGIC, sizeof(v->magic)))
		return false;
	root->address = address;
	if (v->version != LANEMALLOC_VIEW_VERSION || v->size < sizeof(*v))
		return image_fails(image,
				   "the library there has view %u of %u "
				   "bytes, this command reads view %u of %zu: "
				   "use the command of the library's version",
				   v->version, v->size, LANEMALLOC_VIEW_VERSION,
				   sizeof(*v));
	if (!image_read(image, address, v, sizeof(*v)) || !view_is_sane(v) ||
	    !classes_are_sane(v) || !rest_is_sane(v) || !guards_are_sane(v) ||
	    !is_relocated(image, v))
		return image_fails(image, "the view at %#lx holds no sense",
				   address);
	image_read_text(image, v->library_version, root->version,
			sizeof(root->version));
	return true;
}

/* A mapped file as this program may open it. */
static void file_path(struct image *image, const struct range *range,
		      char *path, size_t size)
{
	if (image->pid)
		snprintf(path, size, "/proc/%d/root%s", image->pid,
			 range->path);
	else
		snprintf(path, size, "%s", range->path);
}

static bool by_symbol(struct image *image, const struct range *range,
		      struct root *root)
{
	struct elf_file file;
	char path[4096 + 64];
	uint64_t value;
	bool found;

	file_path(image, range, path, sizeof(path));
	if (!elf_open(&file, path))
		return false;
	found = elf_find(&file, VIEW_NAME, &value) &&
		view_read(image, range->begin - (file.first & -4096ull) + value,
			  root);
	elf_close(&file);
	return found;
}

/* The library's own file first, then all others. */
static bool by_symbols(struct image *image, struct root *root)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < image->nr_ranges; i++) {
			const struct range *r = &image->ranges[i];
			bool named = strstr(r->path, "lanemalloc");

			if (r->path[0] != '/' || r->offset || named != !pass)
				continue;
			if (by_symbol(image, r, root))
				return true;
		}
	return false;
}

static bool scan(struct image *image, uint64_t begin, uint64_t end,
		 struct root *root)
{
	static _Thread_local char buf[SCAN_STEP]; /* serve has two */
	static const char magic[16] = LANEMALLOC_VIEW_MAGIC;
	struct piece piece;
	const char *found;
	size_t n, at;

	for (; begin < end; begin += n - sizeof(magic)) {
		n = end - begin < SCAN_STEP ? end - begin : SCAN_STEP;
		piece = (struct piece){ begin, n };
		if (n <= sizeof(magic) ||
		    !image_read_pieces(image, &piece, 1, buf))
			return false;
		for (at = 0;
		     (found = memmem(buf + at, n - at, magic, sizeof(magic)));
		     at = (size_t)(found - buf) + 1)
			if (view_read(image, begin + (size_t)(found - buf),
				      root))
				return true;
	}
	return false;
}

static uint64_t scan_end(uint64_t begin, uint64_t end)
{
	return end - begin > SCAN_MOST ? begin + SCAN_MOST : end;
}

static bool by_magic(struct image *image, struct root *root)
{
	for (size_t i = 0; i < image->nr_ranges; i++) {
		const struct range *r = &image->ranges[i];

		if (r->path[0] == '/' && r->private && !r->code &&
		    scan(image, r->begin, scan_end(r->begin, r->end), root))
			return true;
	}
	for (size_t i = 0; i < image->nr_segments; i++) {
		const struct segment *s = &image->segments[i];

		if (scan(image, s->begin, scan_end(s->begin, s->end), root))
			return true;
	}
	return false;
}

bool root_find(struct image *image, struct root *root)
{
	image->error[0] = '\0';
	if (by_symbols(image, root) || by_magic(image, root))
		return true;
	if (image->error[0])
		return false;
	if (image->pid)
		return image_fails(image,
				   "process %d (%s) does not have "
				   "lanemalloc, or one without a view",
				   image->pid, image->comm);
	return image_fails(image, "the core has no lanemalloc in it, or its "
				  "data were not dumped (coredump_filter)");
}

uint64_t root_word(struct image *image, uint64_t address)
{
	uint64_t value = 0;

	return image_read(image, address, &value, 8) ? value : 0;
}

uint32_t root_half(struct image *image, uint64_t address)
{
	uint32_t value = 0;

	return image_read(image, address, &value, 4) ? value : 0;
}

bool root_profile_is_on(struct image *image, const struct root *root)
{
	return root_half(image, root->view.profile_on) &
	       root->view.profile_on_mask;
}
