/* layer 3.1: size class: sizes to classes, and the geometry of a slab
 *
 * Class 0 is no class. Sizes step by 16 bytes up to 160, then as
 * docs/generate/sizes.py chooses them by what known programs have alive: a
 * class costs the room of its objects, what a slab has behind the last one, and
 * a part of a slab on each id. No step is larger than a quarter, and there is a
 * class at each power of two and, up to 32 KiB, each multiple of 4 KiB, for
 * aligned blocks.
 *
 * Small sizes are those that the fast path of malloc looks up in tables;
 * medium ones are beyond a unit, where a slab has as many objects as fit
 * its units exactly, at the largest sizes one.
 *
 * Lanes have room for 0.5 to 4 MiB of objects, 65,536 at most; where address
 * space is limited for an eighth of them, but those of up to 512 stay as they
 * are and no other has fewer. How much a lane really holds is layer 4's policy,
 * and room that is not used is never touched.
 *
 * Above 32 KiB each doubling has four classes of equal steps, as
 * size_class_of_medium() calculates a class and looks nothing up.
 *
 * X(object size, units in a slab, most objects in a lane)
 *
 * Behind these fixed classes stand NR_FITTED more that begin without a size:
 * see fitted_class.h.
 */
#ifndef LANE_SIZE_CLASS_H
#define LANE_SIZE_CLASS_H

#include "base/atomic.h"
#include "pageheap/region.h"

/* clang-format off */
#define SIZE_CLASSES(X)							\
	X(16, 1, 65536) X(32, 1, 65536) X(48, 1, 65536) X(64, 1, 65536)	\
	X(80, 1, 16384) X(96, 1, 16384) X(112, 1, 16384)		\
	X(128, 1, 16384) X(144, 1, 4096) X(160, 1, 4096)		\
	X(192, 1, 4096) X(208, 1, 4096) X(240, 1, 4096) X(256, 1, 4096)	\
	X(272, 1, 2048) X(304, 1, 2048) X(352, 1, 2048) X(400, 1, 2048)	\
	X(448, 1, 2048) X(512, 1, 2048) X(576, 1, 1024) X(640, 1, 1024)	\
	X(704, 1, 1024) X(832, 1, 1024) X(1024, 1, 1024)		\
	X(1088, 2, 512) X(1280, 2, 512) X(1472, 2, 512) X(1664, 2, 512)	\
	X(2048, 2, 512) X(2240, 2, 288) X(2496, 2, 288) X(2816, 2, 288)	\
	X(3264, 2, 288) X(3520, 4, 288) X(4096, 2, 288) X(4608, 2, 128)	\
	X(5120, 3, 128) X(6144, 3, 128) X(7168, 2, 128) X(8192, 2, 128)	\
	X(9216, 2, 64) X(10752, 2, 64) X(12288, 3, 64) X(14336, 4, 64)	\
	X(16384, 2, 64) X(17920, 5, 32) X(20480, 5, 32) X(21504, 2, 32)	\
	X(23040, 5, 32) X(24576, 3, 32) X(26112, 4, 32) X(27648, 6, 32)	\
	X(28672, 7, 32) X(32768, 2, 32) X(40960, 5, 24) X(49152, 3, 20)	\
	X(57344, 7, 18) X(65536, 4, 16) X(81920, 5, 12) X(98304, 3, 10)	\
	X(114688, 7, 9) X(131072, 4, 8) X(163840, 5, 6) X(196608, 6, 5)	\
	X(229376, 7, 4) X(262144, 8, 4)

/* Objects smaller than a cache line, of which several share one. */
#define NR_TINY 3

enum {
	SIZE_CLASS_BEGIN = 0,
#define SIZE_CLASS_NAME(size, units, lane) SIZE_CLASS_##size,
	SIZE_CLASSES(SIZE_CLASS_NAME)
#undef SIZE_CLASS_NAME
	NR_FIXED_CLASSES, /* class 0 included */
	NR_FITTED = 8,
	NR_CLASSES = NR_FIXED_CLASSES + NR_FITTED,
	/* Lanes beyond those of the classes: each has one for objects that go
	 * home, REMOTE_LANES + class, see cpu_cache.h; one for those of other
	 * nodes, of all classes; and one that is always empty, as whoever
	 * frees a block again may meet the entry of a run in its place. */
	REMOTE_LANES = NR_CLASSES - 1,
	FAR_LANE = 2 * NR_CLASSES - 1,
	CLASS_LARGE, /* of runs: its lane takes nothing */
	NR_LANES
};
/* clang-format on */

#define LANE_WORDS 4 /* of a lane without its slots */
_Static_assert(NR_CLASSES <= 255, "size_to_class and slabs' words have bytes");
#define REMOTE_LANE_SLOTS 128 /* of the smallest classes */
#define FAR_LANE_SLOTS 64
#define FAR_SIZE_MOST 1024
#define FITTED_LANE_SLOTS 4096
#define FITTED_UNITS_MOST 7

#define SMALL_SIZE_MOST 32768
#define MEDIUM_SIZE_MOST 262144

struct size_class {
	uint64_t magic;	     /* 2^64 / size and a little; see unit_tag */
	uint32_t size;	     /* of an object */
	uint32_t slots;	     /* offset of the lane's slots in its area */
	uint32_t lane_slots; /* most objects that a lane holds */
	uint16_t lane;	     /* offset of the lane in its area, in words */
	uint16_t nr_objects; /* in a slab */
	uint16_t nr_units;   /* of a slab */
	uint16_t nr_words;   /* of bits in a slab */
	uint16_t batch;	     /* objects that a refill or flush moves */
	uint16_t fixed;	     /* the fixed class that has its sizes, too */
};

/* const after size_class_start(), which is idempotent; of a fitted class only
 * lane and slots are, the rest from fitted_class_fill() on. The rows beyond
 * NR_CLASSES only describe lanes: REMOTE_LANES + class is where an object of
 * that class waits that goes home. */
extern struct size_class size_classes[NR_LANES] internal;
/* Where a lane lies in its area. A kind of its own, so that no class's number
 * goes where a section takes this. */
struct lane_offset {
	uint64_t words;
};

/* atomic: index (size + 15) / 16; a size may pass to a fitted class. */
extern _Atomic(uint16_t) size_lanes[SMALL_SIZE_MOST / 16 + 1] internal;
extern _Atomic(uint8_t) size_to_class[SMALL_SIZE_MOST / 16 + 1] internal;

#define BATCH_MOST 128 /* no class's batch is larger */

void size_class_start(void);

/* Whether a slab of the class ends before its last page, which then is
 * inaccessible: with hardened=1, of sizes that lose little by it. */
bool size_class_has_wall(unsigned size_class);

/* Whether the entry is of a slab whose objects the profile follows: every free
 * of one takes the cold half. */
static force_inline bool tag_is_sampled(const struct unit_tag *tag)
{
	return !load_once(&tag->magic) &&
	       (unsigned)(tag->size_class - 1) < CLASS_LARGE - 1;
}

/* Whether the entry is of a unit of the pool of guarded blocks (guard/pool.h):
 * for the fast paths it is a run's. */
static force_inline bool tag_is_guarded(const struct unit_tag *tag)
{
	return tag->size_class == CLASS_LARGE && tag->remote;
}

/* Finds a class by its lane's offset: a row is a whole number of lanes long. */
static force_inline const struct size_class *class_of_lane(uint16_t lane)
{
	const char *rows = (const char *)size_classes;

	return (const void *)(rows +
			      lane * (sizeof(size_classes[0]) / LANE_WORDS));
}

/* size <= SMALL_SIZE_MOST */
static force_inline unsigned size_class_of(size_t size)
{
	// [size_to_class] with size_class_pass(): the class's row
	return load_acquire(&size_to_class[(size + 15) / 16]);
}

/* Returns the lane of a size. It goes not by atomic.h, as compilers believe of
 * an atomic load that it may lie anywhere; aligned, so it is whole. A value of
 * before sends the caller to another lane that holds the size. size <=
 * SMALL_SIZE_MOST. */
static force_inline struct lane_offset size_lane_of(size_t size)
{
	return (struct lane_offset){ *(
		const uint16_t *)(const void *)&size_lanes[(size + 15) / 16] };
}

/* Returns the lane of a row of size_classes. */
static force_inline struct lane_offset class_lane(const struct size_class *c)
{
	return (struct lane_offset){ c->lane };
}

/* Returns the row of the lane where an object of the class goes that is freed
 * on another id than its slab's owner: tiny ones go home. */
static force_inline unsigned size_class_remote(unsigned size_class)
{
	return size_class <= NR_TINY ? REMOTE_LANES + size_class : size_class;
}

/* Where memory has several nodes the cold half finds out whether a larger one
 * is far: to the lane that takes nothing. */
static force_inline unsigned size_class_remote_by_node(unsigned size_class)
{
	return size_class <= NR_TINY ? REMOTE_LANES + size_class : CLASS_LARGE;
}

/* Four classes to each doubling; begins with the first beyond the tables.
 * SMALL_SIZE_MOST < size <= MEDIUM_SIZE_MOST */
_Static_assert(SIZE_CLASS_40960 == SIZE_CLASS_32768 + 1 &&
		       SIZE_CLASS_65536 == SIZE_CLASS_40960 + 3 &&
		       SIZE_CLASS_131072 == SIZE_CLASS_65536 + 4 &&
		       SIZE_CLASS_262144 == SIZE_CLASS_131072 + 4 &&
		       NR_FIXED_CLASSES == SIZE_CLASS_262144 + 1,
	       "four classes to each doubling above 32 KiB");
static force_inline unsigned size_class_of_medium(size_t size)
{
	unsigned top = bits_last(size - 1);
	unsigned quarter = (unsigned)((size - 1) >> (top - 2)) & 3;

	return SIZE_CLASS_40960 + 4 * (top - 15) + quarter;
}

/* Fills the class's row, but for its lane. */
void size_class_fill(unsigned size_class, uint32_t size, uint16_t nr_units,
		     unsigned fixed);

/* From now on the class, whose row is filled, serves the sizes of up to 16 * i
 * that begin behind 16 * (i - 1). */
void size_class_pass(unsigned i, unsigned size_class);

/* Returns the smallest fixed class that holds size bytes at multiples of align
 * (a power of two, at most UNIT_SIZE); 0 where none does. */
unsigned size_class_aligned(size_t size, size_t align);

/* Return the bytes of one CPU's lane area, and of the lanes at its head,
 * without slots. */
size_t size_class_area_size(void);
size_t size_class_lanes_size(void);

#endif
