/* percpu_world: the head of a region and its lanes, built by hand, for the
 * tests of percpu.h. Area i belongs to id i until a test says otherwise. */
#ifndef PERCPU_WORLD_H
#define PERCPU_WORLD_H

#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "cpucache/mode.h"

#define NR_AREAS 256
#define AREA_SIZE 4096
#define LANE 7 /* words */
#define LANE_AT ((struct lane_offset){ LANE })
#define LIMIT 64

static char *head;

static uint64_t *table_word(unsigned id)
{
	return (uint64_t *)(void *)(head + REGION_TABLE_OFFSET) + id;
}

static struct lane *lane_of(unsigned id)
{
	return (void *)(head + REGION_HEAD_SIZE + id * AREA_SIZE + LANE * 8);
}

static inline _Atomic(int64_t) *count_of(unsigned id)
{
	return area_count(head + REGION_HEAD_SIZE + id * AREA_SIZE);
}

/* As if it held the first n slots. */
static inline void lane_hold(struct lane *l, uint64_t n)
{
	store_relaxed(&l->top, l->slots - 1 + n); // own
}

static struct rseq_area *fake_area(void)
{
	static __thread struct rseq_area area;

	return &area;
}

struct descriptor {
	uint32_t version, flags;
	uint64_t start, length, abort;
};

/* What was armed last, as the kernel reads it. */
static inline void assert_armed(void)
{
	struct descriptor *cs = (void *)(uintptr_t)fake_area()->rseq_cs;
	uint32_t signature;

	assert_non_null(cs);
	assert_int_equal((uintptr_t)cs % 32, 0);
	assert_int_equal(cs->version, 0);
	assert_int_equal(cs->flags, 0);
	assert_true(cs->length > 0 && cs->length < 400);
	assert_true(cs->abort - cs->start >= cs->length);
	memcpy(&signature, (char *)(uintptr_t)cs->abort - 4, 4);
	assert_int_equal(signature, PERCPU_SIGNATURE);
	fake_area()->rseq_cs = 0;
}

static void arm_at(void *area, size_t id_field)
{
	char *cs = (char *)area + offsetof(struct rseq_area, rseq_cs);

	anchor.rseq_cs = cs - percpu_thread_pointer();
	anchor.id = (char *)area + id_field - percpu_thread_pointer();
}

FIXTURE(setup)
{
	size_t size = REGION_HEAD_SIZE + NR_AREAS * AREA_SIZE;

	head = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(head, MAP_FAILED);
	anchor.base = head;
	for (unsigned id = 0; id < NR_AREAS; id++) {
		*table_word(id) = REGION_HEAD_SIZE + id * AREA_SIZE;
		/* Behind a word of zeros. */
		lane_begin(lane_of(id), (void **)(lane_of(id) + 1) + 1,
			   (void **)(lane_of(id) + 1));
		lane_set_limit(lane_of(id), LIMIT);
	}
	*fake_area() = (struct rseq_area){ .cpu_id = 3, .mm_cid = 5 };
	arm_at(fake_area(), offsetof(struct rseq_area, mm_cid));
}

static int teardown(void **unused)
{
	(void)unused;
	return munmap(head, REGION_HEAD_SIZE + NR_AREAS * AREA_SIZE);
}

#endif
