/* modes: all no-qemu */
/* lanemalloc_view: it says where things are, as a reader from outside would
 * find them; and the one word that is written from outside */
#include "expect.h"

#include "lanemalloc_view.h"

static const struct lanemalloc_view *view(void)
{
	const struct lanemalloc_view *v = dlsym(RTLD_DEFAULT,
						"lanemalloc_view");

	if (!v)
		skip(); /* another malloc */
	return v;
}

static uint64_t word(uint64_t address, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, (const void *)(uintptr_t)address, size);
	return value;
}

TEST(test_head)
{
	const struct lanemalloc_view *v = view();

	assert_memory_equal(v->magic, LANEMALLOC_VIEW_MAGIC, 16);
	assert_int_equal(v->version, LANEMALLOC_VIEW_VERSION);
	assert_int_equal(v->size, sizeof(*v));
	assert_string_equal((const char *)(uintptr_t)v->library_version,
			    LANE(lanemalloc_version)());
}

/* No field was forgotten: zero is none's value but an offset's. */
TEST(test_fields)
{
	const struct lanemalloc_view *v = view();

#define CHECK_FIELD(name)                                           \
	if (!strstr(#name "_", "_at_") && !strstr(#name, "count_") &&    \
	    !strstr(#name, "option_"))                              \
		assert_true(v->name);
	LANEMALLOC_VIEW_FIELDS(CHECK_FIELD)
#undef CHECK_FIELD
}

/* The tag of a block's unit, by the view. */
static uint64_t tag_of(const struct lanemalloc_view *v, const void *block)
{
	uint64_t base = word(v->regions + v->region_base_at, 8);
	uint64_t unit = ((uintptr_t)block - base) / v->unit_size;

	assert_int_equal(word(v->regions + v->region_state_at, 4),
			 v->region_ready);
	assert_true(unit < word(v->regions + v->region_nr_used_at, 4));
	return word(v->regions + v->region_tags_at, 8) + unit * v->tag_stride;
}

TEST(test_tags)
{
	const struct lanemalloc_view *v = view();

	for (size_t size = 1; size <= 262144; size = size * 5 / 4 + 1) {
		char *p = malloc(size);
		uint64_t tag = tag_of(v, p), row, kind;

		kind = word(tag + v->tag_class_at, 2) >> v->tag_class_shift;
		if (kind != v->class_large) {
			assert_in_range(kind, 1, v->nr_classes - 1);
			row = v->classes + kind * v->class_stride;
			assert_int_equal(word(row + v->class_size_at, 4),
					 malloc_usable_size(p));
		}
		free(p);
	}
}

/* Misses until the word was taken. */
static void switch_to(const struct lanemalloc_view *v, uint32_t value)
{
	volatile uint32_t *at = (volatile uint32_t *)(uintptr_t)v->switch_word;

	*at = value;
	for (int i = 0; i < 100 && *at; i++)
		free(opaque(malloc(400000)));
	assert_int_equal(*at, LANEMALLOC_SWITCH_NONE);
}

static bool is_on(const struct lanemalloc_view *v)
{
	return word(v->profile_on, 4) & v->profile_on_mask;
}

TEST(test_switch)
{
	const struct lanemalloc_view *v = view();

	assert_false(is_on(v));
	switch_to(v, 77);
	assert_false(is_on(v));
	switch_to(v, LANEMALLOC_SWITCH_PROFILE_ON);
	assert_true(is_on(v));
	assert_true(word(v->profile_tables, 8));
	switch_to(v, LANEMALLOC_SWITCH_PROFILE_ON);
	switch_to(v, LANEMALLOC_SWITCH_PROFILE_OFF);
	assert_false(is_on(v));
}

/* Two calls for each bit: so many numbers, so many stacks. */
static __attribute__((noinline)) void stack_of(unsigned number, unsigned bits)
{
	if (!bits)
		free(opaque(malloc(100)));
	else if (number & 1) {
		stack_of(number >> 1, bits - 1);
		__asm__ volatile("" ::"r"(bits));
	} else {
		stack_of(number >> 1, bits - 1);
		__asm__ volatile("" ::"r"(number));
	}
}

/* Its time ends, also where no sample finds room any more. */
TEST_ROLE(ends_full, "profile_interval=1,profile_memory=1m")
{
	const struct lanemalloc_view *v = view();
	const uint32_t second = LANEMALLOC_SWITCH_PROFILE_ON |
				1u << LANEMALLOC_SWITCH_SECONDS_SHIFT;
	unsigned i, n;

	/* It is asked for anew, as a second may be over too soon. */
	for (i = 0; word(v->profile_dropped, 8) <= 1000; i++) {
		if (i % 256 == 0)
			switch_to(v, second);
		stack_of(i, 16);
	}
	must(!usleep(1100000));
	for (n = 0; is_on(v) && n < 1 << 15; n++)
		stack_of(i + n, 16);
	must(!is_on(v));
}

API_MAIN(NULL, NULL)
