/* Further regions: only where addresses lack */
#include "region_fixture.h"
#include "promised.h"

/* Only where addresses lack; memory that is refused adds none. */
TEST(adds_regions)
{
	struct run runs[32], run;
	unsigned n, i, round;

	for (round = 0; round < 3; round++) {
		heap_small(64 * MIB);
		for (n = 0; n < 13; n++) {
			assert_true(page_heap_take(300, 1, 0, &runs[n]));
			memset(heap_addr(&runs[n]), (int)n, 100);
		}
		assert_ptr_equal(runs[12].region, &regions[2]);
		heap_check();
		for (i = 0; i < n; i++) {
			char *end = heap_addr(&runs[i]) + heap_size(&runs[i]);

			is_laid_out(runs[i].region);
			assert_ptr_equal(region_of(end - 1), runs[i].region);
			assert_int_equal(*heap_addr(&runs[i]), i);
			heap_give(&runs[i]);
		}
		heap_check();
		assert_true(page_heap_take(300, 1, 0, &runs[0]));
		assert_ptr_equal(runs[0].region, r0);
	}
	heap_small(64 * MIB);
	fake_fail_from(FAKE_MAP, 1);
	assert_false(page_heap_take(300, 1, 0, &run));
	assert_false(page_heap_take(3000, 1, 0, &run));
	assert_false(region_is_ready(&regions[1]));
}

/* What the kernel's overcommit refuses leaves the heap as it was. */
TEST(refused_runs_add_nothing)
{
	size_t before, n;
	struct run run;

	heap_fresh(0);
	assert_true(page_heap_take(1, 1, 0, &run));
	before = fake_address_size();
	fake.address_limit = before + GIB - 16 * MIB;
	for (n = GIB / UNIT_SIZE; n < REGION_SIZE_MOST / UNIT_SIZE; n *= 2)
		assert_false(page_heap_take(n, 1, 0, &run));
	assert_false(region_is_ready(&regions[1]));
	assert_int_equal(fake_address_size(), before);
	assert_true(page_heap_take(1, 1, 0, &run));
	heap_check();
	/* Nor where addresses lack. */
	store_relaxed(&r0->nr_taken, load_relaxed(&r0->nr_units)); // own
	before = fake_address_size();
	assert_false(page_heap_take(2 * GIB / UNIT_SIZE, 1, 0, &run));
	assert_false(region_is_ready(&regions[1]));
	assert_int_equal(fake_address_size(), before);
}

/* region_add(n) holds a run of n, whatever n. */
TEST(an_added_region_is_large_enough)
{
	static const uint32_t sizes[] = {
		1, 64, 65, 500, 4000, 4096, 4097, 8192, 10000, 64 * 4096 + 1
	};
	struct run_request request = { .align_units = 1 };

	need_promise(10 * GIB);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct region *r = &regions[1];
		struct run run;
		uint32_t unit;

		heap_small(2 * MIB);
		assert_true(region_add(sizes[i]));
		is_laid_out(r);
		request.nr_units = sizes[i];
		assert_true(sizes[i] <= HUGEPAGE_UNITS ?
				    claim_within_hugepage(r, &request, &unit) :
				    claim_hugepages(r, &request, &unit));
		assert_true(run_finish(r, &request, unit, &run));
		are_usable(r, run.unit, 1);
		heap_check();
	}
	assert_false(region_add(REGION_SIZE_MOST / UNIT_SIZE + 1));
	assert_false(region_add(SIZE_MAX / UNIT_SIZE));
}

TEST(the_table_has_an_end)
{
	size_t before;

	heap_small(2 * MIB);
	/* A slot whose claimer died is passed over. */
	store_relaxed(&regions[1].state, REGION_CLAIMED); // own
	for (unsigned i = 2; i < NR_REGIONS_MOST; i++)
		assert_true(region_add(1) && region_is_ready(&regions[i]));
	before = fake_address_size();
	assert_false(region_add(1));
	assert_int_equal(fake_address_size(), before);
	assert_ptr_equal(region_of(regions[63].base), &regions[63]);
	assert_ptr_equal(region_of_span(regions[63].spans), &regions[63]);
	heap_check();
}

TEST_MAIN(NULL, NULL)
