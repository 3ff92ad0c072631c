/* modes: all */
/* free_sized, free_aligned_sized, sized delete, cfree: sizes are hints */
#include "expect.h"

/* libc has none of these yet; C++ names are called as what they are. */
typedef void free_fn(void *);
typedef void free_sized_fn(void *, size_t);
typedef void free_aligned_sized_fn(void *, size_t, size_t);
typedef void delete_aligned_sized_fn(void *, size_t, size_t);

static free_fn *cfree_, *delete_, *delete_array;
static free_sized_fn *free_sized_, *delete_sized, *delete_array_sized;
static free_aligned_sized_fn *free_aligned_sized_;
static delete_aligned_sized_fn *delete_aligned_sized;

static int setup(void **state)
{
	(void)state;
	if (!have_lane())
		return 0;
	cfree_ = LOOK(free_fn *, "cfree");
	delete_ = LOOK(free_fn *, "_ZdlPv");
	delete_array = LOOK(free_fn *, "_ZdaPv");
	free_sized_ = LOOK(free_sized_fn *, "free_sized");
	delete_sized = LOOK(free_sized_fn *, "_ZdlPvm");
	delete_array_sized = LOOK(free_sized_fn *, "_ZdaPvm");
	free_aligned_sized_ =
		LOOK(free_aligned_sized_fn *, "free_aligned_sized");
	delete_aligned_sized =
		LOOK(delete_aligned_sized_fn *, "_ZdlPvmSt11align_val_t");
	return !(cfree_ && delete_ && delete_array && free_sized_ &&
		 delete_sized && delete_array_sized && free_aligned_sized_ &&
		 delete_aligned_sized);
}

/* Frees in one of eight ways; hint is what the program believes. */
static void free_by(unsigned way, void *p, size_t hint)
{
	switch (way % 8) {
	case 0:
		return free_sized_(p, hint);
	case 1:
		return free_aligned_sized_(p, 64, hint);
	case 2:
		return delete_sized(p, hint);
	case 3:
		return delete_array_sized(p, hint);
	case 4:
		return delete_aligned_sized(p, hint, 4096);
	case 5:
		return delete_(p);
	case 6:
		return delete_array(p);
	default:
		return cfree_(p);
	}
}

TEST_LANE(test_null)
{
	errno = 4711;
	for (unsigned way = 0; way < 8; way++)
		free_by(way, NULL, way * 100);
	assert_int_equal(errno, 4711);
}

TEST_LANE(test_right_sizes)
{
	for (unsigned way = 0; way < 8; way++) {
		for (size_t n = 0; n < 100000; n += 1 + n / 20) {
			errno = 4711;
			free_by(way, malloc(n), n);
			free_by(way, calloc(1, n), n);
			free_by(way, realloc(malloc(n + 77), n + 1), n + 1);
			free_by(way, aligned_alloc(64, n), n);
			assert_int_equal(errno, 4711);
		}
	}
}

struct live {
	char *p;
	size_t size;
	uint64_t seed;
};

static size_t wrong_hint(uint64_t r, size_t size)
{
	switch (r % 6) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 2:
		return SIZE_MAX;
	case 3:
		return size / 2;
	case 4:
		return size * 3 + 100;
	default:
		return (r >> 8) % 70000;
	}
}

static void replace(struct live *slot, uint64_t *random)
{
	uint64_t r = random_next(random);

	if (slot->p)
		must(pattern_holds(slot->p, slot->size, slot->seed));
	if (r % 5 == 0) /* the program remembers the size before */
		slot->p = realloc(slot->p, slot->size * 2 + 1);
	free_by((unsigned)(r >> 20), slot->p, wrong_hint(r, slot->size));
	slot->size = random_next(random) % (r % 16 ? 500 : 60000);
	slot->p = r % 3 ? malloc(slot->size) : memalign(64, slot->size);
	must(slot->p);
	slot->seed = r;
	pattern_fill(slot->p, slot->size, slot->seed);
}

/* Wrong hints in any number put no block into a wrong place. */
TEST_LANE(test_wrong_sizes)
{
	static struct live live[2000];
	uint64_t random = 31;

	for (size_t i = 0; i < 120000; i++)
		replace(&live[random_next(&random) % ARRAY_SIZE(live)],
			&random);
	for (size_t i = 0; i < ARRAY_SIZE(live); i++)
		free_by((unsigned)i, live[i].p, i);
}

/* As that way of freeing says. */
static void *alloc_for(unsigned way, size_t n)
{
	if (way == 1 || way == 4)
		return aligned_alloc(way == 1 ? 64 : 4096, n);
	return malloc(n);
}

/* The checking option accepts all that is right. */
TEST_ROLE(checked, "checks=1,check_pairs=0")
{
	setup(NULL);
	for (unsigned way = 0; way < 8; way++) {
		for (size_t n = 0; n < 100000; n += 1 + n / 30) {
			free_by(way, alloc_for(way, n), n);
			free_by(way, NULL, n);
			if (way == 1 || way == 4)
				continue;
			free_by(way, aligned_alloc(64, n), n);
			free_by(way, realloc(malloc(n + 77), n + 1), n + 1);
		}
	}
}

API_MAIN(setup, NULL)
