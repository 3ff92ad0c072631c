/* layer 3.1: size class: the tables, filled once at start-up */
#include "slab/size_class.h"

#include "system/config.h"
#include "system/system.h"

struct size_class size_classes[NR_LANES];
_Atomic(uint16_t) size_lanes[SMALL_SIZE_MOST / 16 + 1];
_Atomic(uint8_t) size_to_class[SMALL_SIZE_MOST / 16 + 1];

struct class_geometry {
	uint32_t size, lane_slots;
	uint16_t nr_units;
};

static const struct class_geometry geometry[NR_FIXED_CLASSES] = {
	{ 0, 0, 0 },
#define SIZE_CLASS_ROW(size, units, slots) { size, slots, units },
	SIZE_CLASSES(SIZE_CLASS_ROW)
#undef SIZE_CLASS_ROW
};

/* Words before a lane's slots: a cache line and a quarter, so that the tops of
 * lanes whose sizes are powers of two do not meet in one cache set. */
#define SLOTS_GAP 10

#define BATCH_SIZE_MOST 65536  /* bytes that one refill or flush moves */
#define BATCH_LEAST 2	       /* of small sizes */
#define REMOTE_SIZE_MOST 16384 /* bytes that wait to go home */

/* Where address space is limited lanes have less room: by so many powers of
 * two, but as much as this. */
#define LIMITED_SHIFT 3
#define LIMITED_SLOTS 512

/* atomic: 1 + shift; the first caller decides for all, as a limit may change
 * between two of them, and areas of two layouts would be the end */
static _Atomic(uint32_t) slots_shift;

static unsigned lane_slots_shift(void)
{
	uint32_t seen = load_relaxed(&slots_shift), mine; // own: set once

	if (seen)
		return seen - 1;
	mine = 1 + (system_address_space_limited() ? LIMITED_SHIFT : 0);
	if (cas_relaxed(&slots_shift, &seen, mine)) // own: set once
		seen = mine;
	return seen - 1;
}

static uint32_t class_lane_slots(uint32_t most)
{
	size_t least = min_size(most, LIMITED_SLOTS);

	return (uint32_t)max_size(most >> lane_slots_shift(), least);
}

static uint16_t class_batch(uint32_t size)
{
	size_t n = BATCH_SIZE_MOST / size;

	if (size > SMALL_SIZE_MOST)
		return 1;
	return (uint16_t)max_size(BATCH_LEAST, min_size(n, BATCH_MOST));
}

/* Returns how many wait to go home, and then go together. */
static uint16_t class_remote_batch(uint32_t size)
{
	size_t n = min_size(REMOTE_SIZE_MOST / size, REMOTE_LANE_SLOTS);

	return (uint16_t)max_size(n, class_batch(size) > 1 ? BATCH_LEAST : 1);
}

/* Its low end is the owner's in a tag. */
static uint64_t class_magic(uint32_t size)
{
	return round_up(ALL_ONES / size + 1, TAG_OWNER_MASK + 1);
}

#define WALL_SIZE_MOST 16384

enum { WALLS_UNKNOWN, WALLS_OFF, WALLS_ON };
static _Atomic(uint32_t) walls; /* atomic: hint; once known it stays so */

/* Slabs that are made before the option is known have none, and then none ever
 * has. */
static bool has_walls(void)
{
	uint32_t known = load_relaxed(&walls);
	uint32_t mine = config.hardened ? WALLS_ON : WALLS_OFF;

	if (known || !cas_relaxed(&walls, &known, mine))
		mine = known;
	return mine == WALLS_ON && system_page_size() <= UNIT_SIZE / 4;
}

bool size_class_has_wall(unsigned size_class)
{
	return unlikely(config.hardened) && has_walls() &&
	       size_classes[size_class].size <= WALL_SIZE_MOST;
}

/* Field by field: others may read while start-up runs once more, and a compiler
 * fills a row of which it is told a part with zeros first. */
void size_class_fill(unsigned size_class, uint32_t size, uint16_t nr_units,
		     unsigned fixed)
{
	struct size_class *c = &size_classes[size_class];
	size_t room = nr_units * UNIT_SIZE;
	uint16_t nr;

	if (has_walls() && size <= WALL_SIZE_MOST)
		room -= system_page_size();
	nr = (uint16_t)(room / size);

	c->magic = class_magic(size);
	c->size = size;
	c->nr_objects = nr;
	c->nr_units = nr_units;
	c->nr_words = (uint16_t)div_up(nr, WORD_BITS);
	c->batch = class_batch(size);
	c->fixed = (uint16_t)fixed;
	size_classes[REMOTE_LANES + size_class].size = size;
	size_classes[REMOTE_LANES + size_class].batch =
		class_remote_batch(size);
}

/* Says in its row where a lane is; returns the end of its slots. */
static size_t lane_fill(unsigned size_class, size_t slots, uint32_t lane_slots)
{
	struct size_class *c = &size_classes[size_class];

	c->slots = (uint32_t)slots;
	c->lane = (uint16_t)(size_class * LANE_WORDS);
	return slots + 8 * ((size_t)lane_slots + SLOTS_GAP);
}

/* Objects of all classes that it takes; each counts as the largest. Behind it
 * the lane that takes nothing. */
static size_t far_lane_fill(size_t slots)
{
	struct size_class *c = &size_classes[FAR_LANE];

	c->size = FAR_SIZE_MOST;
	c->lane_slots = FAR_LANE_SLOTS;
	c->batch = FAR_LANE_SLOTS / 2;
	slots = lane_fill(FAR_LANE, slots, FAR_LANE_SLOTS);
	return lane_fill(CLASS_LARGE, slots, 0);
}

/* Returns where the next lane's slots may begin. */
static size_t remote_lanes_fill(size_t slots)
{
	uint32_t room;
	unsigned size_class;

	for (size_class = 1; size_class < NR_CLASSES; size_class++) {
		if (size_class < NR_FIXED_CLASSES)
			room = class_remote_batch(geometry[size_class].size);
		else
			room = REMOTE_LANE_SLOTS;
		size_classes[REMOTE_LANES + size_class].lane_slots = room;
		slots = lane_fill(REMOTE_LANES + size_class, slots, room);
	}
	return far_lane_fill(slots);
}

/* What a fitted class is for is not known yet, and how long its lane is. */
static size_t fitted_lanes_fill(size_t slots)
{
	uint32_t most = class_lane_slots(FITTED_LANE_SLOTS);
	unsigned size_class;

	for (size_class = NR_FIXED_CLASSES; size_class < NR_CLASSES;
	     size_class++)
		slots = lane_fill(size_class, slots, most);
	return slots;
}

/* The size's lane is there from the start, with nothing in it, so that
 * nobody who reads it too early is misled. It comes first: a size that has a
 * class has a lane, whoever vanished in here. */
void size_class_pass(unsigned i, unsigned size_class)
{
	store_relaxed(&size_lanes[i], size_classes[size_class].lane); // hint
	// [size_to_class] with size_class_of(): the class's row and its lane
	store_release(&size_to_class[i], (uint8_t)size_class);
}

/* A size that a fitted class took over stays with it when start-up runs once
 * more. */
static void size_begin(unsigned i, unsigned size_class)
{
	// [size_to_class] with size_class_pass(): its lane is there
	if (!load_acquire(&size_to_class[i]))
		size_class_pass(i, size_class);
}

void size_class_start(void)
{
	size_t slots = size_class_lanes_size() + 8 * SLOTS_GAP;
	const struct class_geometry *g = geometry + 1;
	uint32_t lane_slots;
	unsigned size_class, i = 0;

	slots = fitted_lanes_fill(remote_lanes_fill(slots));
	for (size_class = 1; size_class < NR_FIXED_CLASSES; size_class++, g++) {
		lane_slots = class_lane_slots(g->lane_slots);
		slots = lane_fill(size_class, slots, lane_slots);
		size_classes[size_class].lane_slots = lane_slots;
		size_class_fill(size_class, g->size, g->nr_units, size_class);
		for (; i <= SMALL_SIZE_MOST / 16 && i <= g->size / 16; i++)
			size_begin(i, size_class);
	}
}

unsigned size_class_aligned(size_t size, size_t align)
{
	unsigned size_class;

	if (align > UNIT_SIZE || size > MEDIUM_SIZE_MOST)
		return 0;
	/* A class at multiples of align is no smaller than this. */
	size = round_up(size, align);
	if (size > MEDIUM_SIZE_MOST)
		return 0;
	size_class = size > SMALL_SIZE_MOST ? size_class_of_medium(size) :
					      size_class_of(size);
	size_class = size_classes[size_class].fixed;
	for (; size_class < NR_FIXED_CLASSES; size_class++)
		if (!(size_classes[size_class].size & (align - 1)))
			return size_class;
	return 0;
}

size_t size_class_lanes_size(void)
{
	return (size_t)8 * NR_LANES * LANE_WORDS;
}

size_t size_class_area_size(void)
{
	const struct size_class *last = &size_classes[NR_FIXED_CLASSES - 1];

	return last->slots + 8 * (size_t)last->lane_slots;
}
