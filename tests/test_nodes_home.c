/* Memory nodes: slabs stay on their node, and their objects go back there */
#include "heap_fixture.h"
#include "slab/bin.c"
#include "system/nodes.c"
#include "cpucache/areas.c"
#include "cpucache/cpu_cache.c"

#define MOST 4096

static void *held[MOST];
static unsigned nr_held;

/* The calling CPU's id and another one near to it, and one that is far. */
static unsigned id, near_id, far_id;

FIXTURE(two_nodes)
{
	id = rseq_current_id();
	near_id = id + 1;
	far_id = id + 2;
	nr_held = 0;
	cpu_is_of(id, 0);
	cpu_is_of(near_id, 0);
	cpu_is_of(far_id, 1);
	nodes_use(true);
}

FIXTURE(done)
{
	nodes_use(false);
	while (nr_held)
		heap_free(held[--nr_held]);
	cpu_cache_flush_own();
	bin_collect_all(100000, COLLECT_AGE_NEVER);
	page_heap_check();
}

static void hold_of(unsigned owner, unsigned size_class, unsigned n)
{
	for (; n; n--)
		assert_int_equal(
			bin_take(owner, size_class, &held[nr_held++], 1), 1);
}

static uint64_t count_of(unsigned lane)
{
	return lane_nr(areas_lane(id, lane));
}

static uint64_t nr_steals(void)
{
	struct bin_stats stats;

	bin_stats(&stats);
	return stats.nr_steals;
}

TEST(steals_within_its_node, two_nodes, done)
{
	uint64_t before = nr_steals();

	hold_of(near_id, SIZE_CLASS_1024, 1);
	/* It lies in the slot; what is beside it lies in the lists. */
	hold_of(near_id, SIZE_CLASS_1024, 2 * 32);
	bin_give(near_id, held, 2);
	bin_give(near_id, held + 40, 2);
	nr_held = 0;
	hold_of(far_id, SIZE_CLASS_1024, 1);
	assert_true(nr_steals() == before);
	hold_of(id, SIZE_CLASS_1024, 1);
	assert_true(nr_steals() == before + 1);
	/* Before there is no memory it takes any. */
	fake_fail_from(FAKE_MAP, 1);
	while (bin_take(far_id, SIZE_CLASS_262144, held + nr_held, 1))
		nr_held++;
	while (bin_take(far_id, SIZE_CLASS_1024, held + nr_held, 1))
		nr_held++;
	assert_true(nr_steals() > before + 1);
	fake_fail_from(FAKE_MAP, 0);
}

/* What another CPU of the node frees stays here; what one of another node
 * does goes to its slab, a batch at a time. */
TEST_WHERE(has_lanes(), far_objects_go_home, two_nodes, done)
{
	unsigned i, nr = FAR_LANE_SLOTS;
	uint64_t near_before;

	/* Lanes for the id. */
	heap_free(block_alloc(256));
	near_before = count_of(SIZE_CLASS_256);
	hold_of(far_id, SIZE_CLASS_256, nr + 1);
	for (i = 0; i < nr; i++) {
		heap_free(held[i]);
		assert_false(object_is_free(held[i]));
	}
	assert_int_equal(count_of(FAR_LANE), nr);
	assert_int_equal(count_of(SIZE_CLASS_256), near_before);
	heap_free(held[nr]);
	assert_int_equal(count_of(FAR_LANE), nr / 2 + 1);
	assert_true(object_is_free(held[nr - 1]));
	nr_held = 0;
	/* A large one at once. */
	hold_of(far_id, SIZE_CLASS_8192, 2);
	heap_free(held[0]);
	assert_true(object_is_free(held[0]));
	held[0] = held[1];
	nr_held = 1;
}

TEST_WHERE(has_lanes(), near_objects_stay, two_nodes, done)
{
	void *again;

	heap_free(block_alloc(256));
	hold_of(near_id, SIZE_CLASS_256, 1);
	heap_free(held[0]);
	assert_int_equal(count_of(FAR_LANE), 0);
	again = block_alloc(256);
	assert_ptr_equal(again, held[0]);
}

/* As soon as ids are no CPUs any more all is as with one node. */
TEST_WHERE(has_lanes(), none_is_far_without_nodes, two_nodes, done)
{
	heap_free(block_alloc(256));
	hold_of(far_id, SIZE_CLASS_256, 1);
	nodes_use(false);
	heap_free(held[0]);
	assert_int_equal(count_of(FAR_LANE), 0);
	nr_held = 0;
}

/* A CPU that was off at start; an id that is not the thread's CPU is not
 * learnt. */
TEST(learns_the_node_of_a_new_cpu, two_nodes, done)
{
	struct rseq_area *area = rseq_self();
	unsigned cpu = area ? area->cpu_id : 0;

	if (!area || !rseq_state.node_ids)
		skip();
	store_relaxed(&table[cpu], 0);	       // own
	store_relaxed(&table[far_id + 1], 0); // own
	node_look(far_id + 1);
	assert_int_equal(node_of_cpu(far_id + 1), NODE_ANY);
	node_look(cpu);
	assert_int_equal(node_of_cpu(cpu), area->node_id % NODES_MOST);
}

TEST_MAIN(heap_setup_pinned, NULL)
