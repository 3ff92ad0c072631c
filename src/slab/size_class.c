/* layer 3.1: size class: the tables, filled once at start-up */
#include "slab/size_class.h"

struct size_class size_classes[NR_CLASSES];
uint16_t size_lanes[SMALL_SIZE_MOST / 16 + 1];
uint8_t size_to_class[SMALL_SIZE_MOST / 16 + 1];

struct class_geometry {
	uint32_t size;
	uint16_t nr_units, lane_slots;
};

static const struct class_geometry geometry[NR_CLASSES] = {
	{ 0, 0, 0 },
#define SIZE_CLASS_ROW(size, units, slots) { size, units, slots },
	SIZE_CLASSES(SIZE_CLASS_ROW)
#undef SIZE_CLASS_ROW
};

/* Words before a lane: a cache line and a quarter, so that the tops of lanes
 * whose sizes are powers of two do not meet in one cache set. */
#define LANE_GAP 10
#define LANE_WORDS_FIXED 2 /* count and limit */

#define BATCH_SIZE_MOST 65536 /* bytes that one refill or flush moves */
#define BATCH_LEAST 2	    /* of small sizes */

static uint16_t class_batch(uint32_t size)
{
	size_t n = BATCH_SIZE_MOST / size;

	if (size > SMALL_SIZE_MOST)
		return 1;
	return (uint16_t)max_size(BATCH_LEAST, min_size(n, BATCH_MOST));
}

static void class_fill(unsigned class, uint16_t lane)
{
	const struct class_geometry *g = &geometry[class];
	uint16_t nr = (uint16_t)(g->nr_units * UNIT_SIZE / g->size);

	size_classes[class] = (struct size_class){
		.magic = ALL_ONES / g->size + 1,
		.size = g->size,
		.nr_objects = nr,
		.lane = lane,
		.lane_slots = g->lane_slots,
		.nr_units = g->nr_units,
		.nr_words = (uint16_t)div_up(nr, 64),
		.batch = class_batch(g->size),
	};
}

void size_class_start(void)
{
	unsigned lane = LANE_GAP, class, i = 0;

	for (class = 1; class < NR_CLASSES; class++) {
		const struct class_geometry *g = &geometry[class];

		class_fill(class, (uint16_t)lane);
		for (; i <= SMALL_SIZE_MOST / 16 && i <= g->size / 16; i++) {
			size_to_class[i] = (uint8_t)class;
			size_lanes[i] = (uint16_t)lane;
		}
		lane += LANE_WORDS_FIXED + g->lane_slots + LANE_GAP;
	}
}

unsigned size_class_aligned(size_t size, size_t align)
{
	unsigned class;

	if (align > UNIT_SIZE || size > MEDIUM_SIZE_MOST)
		return 0;
	class = size > SMALL_SIZE_MOST ? size_class_of_medium(size) :
					 size_class_of(size);
	for (; class < NR_CLASSES; class++)
		if (size_classes[class].size % align == 0)
			return class;
	return 0;
}

size_t size_class_lanes_size(void)
{
	const struct size_class *last = &size_classes[NR_CLASSES - 1];

	return 8 * ((size_t)last->lane + LANE_WORDS_FIXED +
		    last->lane_slots + LANE_GAP);
}
