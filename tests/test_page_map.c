/* slab/page_map.h: what an address points at */
#include "slab_fixture.h"

#define OWNER 3

static enum block_kind kind_of(const void *pointer, struct block *block)
{
	page_map_find(pointer, block);
	return block->kind;
}

/* What the fast paths' look says must be what the judge says of a live one. */
static void agree(const void *pointer, const struct block *block)
{
	uint64_t end = 16 * (uint64_t)load_relaxed(
				    &regions[0].nr_committed); // own
	struct block fast;
	bool live = block->kind == BLOCK_OBJECT && !page_map_is_free(block);

	assert_int_equal(page_map_try_live(pointer, end, &fast), live);
	assert_false(page_map_try_live(pointer, 0, &fast));
	if (!live)
		return;
	assert_ptr_equal(page_map_try(pointer, end), block->tag);
	page_map_try_live(pointer, end, &fast);
	assert_int_equal(fast.unit, block->unit);
	assert_int_equal(fast.index, block->index);
	assert_int_equal(fast.size_class, block->size_class);
	assert_int_equal(fast.size, block->size);
}

/* Every 8th byte of a slab of each class: starts, insides, the unused end. */
TEST(test_every_address_of_a_slab)
{
	unsigned size_class, i;

	for (size_class = 1; size_class < NR_FIXED_CLASSES; size_class++) {
		const struct size_class *c = &size_classes[size_class];
		struct span *slab = slab_open(size_class, OWNER);
		uint32_t unit = region_span_unit(&regions[0], slab);
		char *start = region_addr(&regions[0], unit);
		size_t at, size = c->nr_units * UNIT_SIZE;
		void *first;
		struct block b;

		slab_take(slab, &first, 1);
		for (at = 0; at < size; at += 8) {
			i = (unsigned)(at / c->size);
			kind_of(start + at, &b);
			agree(start + at, &b);
			if (i >= c->nr_objects) {
				assert_int_equal(b.kind, BLOCK_NONE);
				continue;
			}
			assert_int_equal(b.kind, at % c->size ? BLOCK_INSIDE :
								BLOCK_OBJECT);
			assert_int_equal(b.index, i);
			assert_int_equal(b.unit, unit);
			assert_int_equal(b.size_class, size_class);
			assert_int_equal(b.size, c->size);
			assert_int_equal(page_map_is_free(&b), i > 0);
		}
		slab_give(&first, 1);
		slab_close(slab);
		assert_int_equal(kind_of(start, &b), BLOCK_NONE);
	}
}

TEST(test_runs)
{
	struct region *r = &regions[0];
	struct run run, behind;
	struct block b;
	char *at;

	assert_true(page_heap_take(5, 1, 0, &run));
	assert_true(page_heap_take(1, 1, 0, &behind));
	at = region_addr(run.region, run.unit);
	assert_int_equal(kind_of(at, &b), BLOCK_NONE);
	page_map_set_run(run.region, run.unit, 5);
	assert_int_equal(kind_of(at, &b), BLOCK_RUN);
	agree(at, &b);
	assert_int_equal(b.unit, run.unit);
	assert_int_equal(b.nr_units, 5);
	assert_int_equal(b.size, 5 * UNIT_SIZE);
	assert_int_equal(kind_of(at + 16, &b), BLOCK_INSIDE);
	assert_int_equal(kind_of(at + 5 * UNIT_SIZE - 1, &b), BLOCK_INSIDE);
	assert_int_equal(kind_of(at + 5 * UNIT_SIZE, &b), BLOCK_NONE);
	kind_of(at, &b);
	page_map_resize_run(&b, 4);
	assert_int_equal(b.size, 4 * UNIT_SIZE);
	assert_int_equal(kind_of(at + 4 * UNIT_SIZE, &b), BLOCK_NONE);
	assert_int_equal(kind_of(at + 4 * UNIT_SIZE - 16, &b), BLOCK_INSIDE);
	kind_of(at, &b);
	/* Of two frees one gets it, also where both have looked. */
	assert_int_equal(page_map_take_run(&b), 4);
	assert_int_equal(page_map_take_run(&b), 0);
	assert_int_equal(kind_of(at, &b), BLOCK_NONE);
	r->tags[run.unit].size_class = CLASS_LARGE; /* as between two loads */
	/* Who pushes by it meets a lane that takes nothing. */
	assert_int_equal(r->tags[run.unit].lane, (NR_LANES - 1) * LANE_WORDS);
	assert_int_equal(size_classes[NR_LANES - 1].lane_slots, 0);
	assert_int_equal(r->tags[run.unit].remote, 0);
	assert_int_equal(kind_of(at, &b), BLOCK_RUN);
	assert_int_equal(b.nr_units, 0);
	r->tags[run.unit].size_class = CLASS_NONE;
	page_heap_give(run.region, run.unit, 5);
	page_heap_give(behind.region, behind.unit, 1);
}

TEST_FIRST(test_no_blocks)
{
	struct region *r = &regions[0];
	struct block b;

	assert_int_equal(kind_of(NULL, &b), BLOCK_FOREIGN);
	assert_int_equal(kind_of(&b, &b), BLOCK_FOREIGN);
	assert_int_equal(kind_of(r->base - 1, &b), BLOCK_FOREIGN);
	assert_int_equal(kind_of(r->base + region_size(r), &b), BLOCK_FOREIGN);
	assert_null(b.region);
	assert_int_equal(kind_of(r->base, &b), BLOCK_NONE);
	assert_non_null(b.tag);
	/* Behind the entries that are mapped. */
	assert_int_equal(kind_of(r->base + region_size(r) - 1, &b), BLOCK_NONE);
	assert_null(b.tag);
}

static int anchored_setup(void **state)
{
	if (heap_setup(state))
		return -1;
	anchor_set(&regions[0]);
	return 0;
}

TEST_MAIN(anchored_setup, NULL)
