/* Memory nodes: which CPU is near to which, and whose hugepages a CPU takes
 *
 * The machine is a replaced one: two nodes of four CPUs, as /sys would say. */
#include "page_heap_fixture.h"
#include "system/nodes.c"

#define NODE(n) NODE_FOLDER "node" #n "/cpulist"

static void forget(void)
{
	memset(table, 0, sizeof(table));
	store_relaxed(&with_memory, 0); // before publish
	nodes_use(false);
}

static void two_nodes(void)
{
	fake_file(NODE_FOLDER "has_memory", "0-1\n");
	fake_file(NODE(0), "0-1,4-5\n");
	fake_file(NODE(1), "2-3,6-7\n");
}

/* A heap on the machine of two nodes that keeps all that is freed. */
static void near_heap(void)
{
	heap_keeping(KEEP_ALL);
	forget();
	two_nodes();
	assert_int_equal(nodes_read(), 2);
	nodes_use(true);
}

static struct run take(unsigned n, unsigned cpu)
{
	struct run run;

	assert_true(page_heap_take(n, 1, cpu, &run));
	return run;
}

static uint32_t hugepage_of(const struct run *run)
{
	return run->unit / HUGEPAGE_UNITS;
}

TEST(reads_what_the_kernel_tells)
{
	fake_reset();
	forget();
	two_nodes();
	assert_int_equal(nodes_read(), 2);
	assert_int_equal(node_of_id(5), NODE_ANY); /* not used yet */
	nodes_use(true);
	assert_int_equal(node_of_id(0), 0);
	assert_int_equal(node_of_id(5), 0);
	assert_int_equal(node_of_id(6), 1);
	assert_int_equal(node_of_id(8), NODE_ANY);
	assert_int_equal(node_of_id(NODE_CPUS_MOST), NODE_ANY);
	assert_true(nodes_differ(node_of_id(0), node_of_id(2)));
	assert_false(nodes_differ(node_of_id(0), node_of_id(4)));
	assert_false(nodes_differ(node_of_id(0), node_of_id(8)));
	/* One that comes later; what is known stays. */
	node_learn(8, 1);
	node_learn(0, 1);
	node_learn(9, UINT32_MAX);
	assert_int_equal(node_of_id(8), 1);
	assert_int_equal(node_of_id(0), 0);
	assert_int_equal(node_of_id(9), NODE_ANY);
}

/* Nodes without CPUs, or without memory, are none; numbers beyond are shared.
 */
TEST(counts_nodes_with_both)
{
	fake_reset();
	forget();
	fake_file(NODE_FOLDER "has_memory", "0,2,17\n");
	fake_file(NODE(0), "0\n");
	fake_file(NODE(1), "1\n");
	fake_file(NODE(2), "\n");
	fake_file(NODE(17), "3-2,9000,12\n");
	assert_int_equal(nodes_read(), 2);
	nodes_use(true);
	assert_int_equal(node_of_id(0), 0);
	assert_int_equal(node_of_id(1), NODE_ANY);
	assert_int_equal(node_of_id(12), 17 % NODES_MOST);
}

/* One node, no /sys, or the option: nothing to tell apart. */
TEST(one_node_is_none)
{
	fake_reset();
	forget();
	fake_file(NODE_FOLDER "has_memory", "0\n");
	assert_int_equal(nodes_read(), 1);
	assert_int_equal(fake_calls(FAKE_READ_FILE), 1);
	fake_file(NODE_FOLDER "has_memory", NULL);
	assert_int_equal(nodes_read(), 1);
	two_nodes();
	config.numa = NUMA_OFF;
	fake_reset();
	assert_int_equal(nodes_read(), 1);
	assert_int_equal(fake_calls(FAKE_READ_FILE), 0);
	config.numa = NUMA_AUTO;
}

TEST(takes_from_its_own_hugepages)
{
	struct run a, b, c;

	near_heap();
	a = take(1, 0);
	b = take(1, 2);
	assert_int_not_equal(hugepage_of(&a), hugepage_of(&b));
	c = take(1, 4); /* the same node as CPU 0's */
	assert_int_equal(hugepage_of(&a), hugepage_of(&c));
	heap_give(&a);
	heap_give(&b);
	heap_check();
	/* What is resident there serves its own node alone. */
	c = take(1, 6);
	assert_int_equal(c.unit, b.unit);
	assert_false(c.zero);
	c = take(1, 3);
	assert_int_equal(hugepage_of(&c), hugepage_of(&b));
	assert_int_equal(take(1, 1).unit, a.unit);
	heap_check();
}

TEST(takes_whole_hugepages_that_are_near_or_clean)
{
	struct run a, b;

	near_heap();
	a = take(3 * HUGEPAGE_UNITS, 0);
	heap_give(&a);
	b = take(2 * HUGEPAGE_UNITS, 2);
	assert_true(b.unit >= a.unit + a.nr_units ||
		    b.unit + b.nr_units <= a.unit);
	assert_true(b.zero);
	heap_give(&b);
	/* Nor does a small run open one of them. */
	b = take(1, 3);
	assert_false(b.unit - a.unit < a.nr_units);
	/* Its own node has it back as it is, and clean it is anybody's. */
	b = take(3 * HUGEPAGE_UNITS, 1);
	assert_int_equal(b.unit, a.unit);
	assert_false(b.zero);
	heap_give(&b);
	page_heap_purge(0, SIZE_MAX);
	b = take(3 * HUGEPAGE_UNITS, 2);
	assert_int_equal(b.unit, a.unit);
	assert_true(b.zero);
	heap_give(&b);
	assert_int_equal(take(1, 2).unit, a.unit);
	heap_check();
}

TEST(a_clean_hugepage_changes_hands)
{
	struct run a, b;

	near_heap();
	a = take(1, 0);
	heap_give(&a);
	page_heap_purge(0, SIZE_MAX);
	b = take(1, 2);
	assert_int_equal(b.unit, a.unit);
	assert_int_equal(hugepage_of(&b), take(1, 3).unit / HUGEPAGE_UNITS);
	a = take(1, 0);
	assert_int_not_equal(hugepage_of(&a), hugepage_of(&b));
	heap_check();
}

/* The far node's memory before none. */
TEST(takes_far_memory_when_there_is_no_other)
{
	struct run a, b;

	near_heap();
	a = take(1, 0);
	b = take(GROW_LEAST - HUGEPAGE_UNITS, 0);
	heap_give(&b);
	fake_fail_from(FAKE_MAP, 1);
	b = take(3, 2);
	assert_true(hugepage_of(&b) - hugepage_of(&a) <
		    GROW_LEAST / HUGEPAGE_UNITS);
	/* And no refused growth for each such take. */
	fake_reset();
	fake_fail_from(FAKE_MAP, 1);
	two_nodes();
	b = take(3, 2);
	assert_int_equal(fake_calls(FAKE_MAP), 0);
	heap_check();
}

TEST(what_extends_a_run_is_the_same_nodes)
{
	struct region *r = &regions[0];
	uint32_t n = 2 * HUGEPAGE_UNITS;
	struct run a;

	near_heap();
	a = take(n, 2);
	assert_true(page_heap_try_extend(r, a.unit, n, n));
	assert_int_equal(node_of_hugepage(r, hugepage_of(&a) + 3), 1);
	assert_int_equal(node_of_hugepage(r, hugepage_of(&a) + 4), NODE_ANY);
	page_heap_give(r, a.unit, 2 * n);
	heap_check();
}

/* Without memory for the words nothing is anybody's. */
TEST(lives_without_its_words)
{
	struct run a, b;

	near_heap();
	node_assign(&regions[0], 0, 1, 0);
	assert_int_equal(node_of_hugepage(&regions[0], 0), 0);
	store_relaxed(&regions[0].nodes, NULL); // before publish
	fake_fail_from(FAKE_MAP, 1);
	node_assign(&regions[0], 0, 1, 0);
	assert_int_equal(node_of_hugepage(&regions[0], 0), NODE_ANY);
	fake_fail_from(FAKE_MAP, 0);
	fake_fail_at(FAKE_MAP, 3);
	a = take(1, 0);
	b = take(1, 0);
	heap_give(&a);
	heap_give(&b);
	heap_check();
}

TEST(interleaves_what_grows)
{
	near_heap();
	nodes_use(false);
	config.numa = NUMA_INTERLEAVE;
	assert_int_equal(nodes_read(), 1);
	take(1, 0);
	assert_int_equal(fake_calls(FAKE_INTERLEAVE), 1);
	take(1, 2);
	assert_int_equal(fake_calls(FAKE_INTERLEAVE), 1);
	config.numa = NUMA_AUTO;
	take(2 * GROW_LEAST, 2);
	assert_int_equal(fake_calls(FAKE_INTERLEAVE), 1);
}

TEST_MAIN(NULL, NULL)
