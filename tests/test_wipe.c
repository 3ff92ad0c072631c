/* front/wipe.h: a word that is not zero is seen, of any size, wherever it is
 * looked at; front/canary.h: of slack and canary every byte */
#include "heap_fixture.h"

#include "front/canary.h"
#include "front/wipe.h"

#define MARK UINT64_C(0x123456789abc0000)
#define MOST 3072

static struct {
	char before[64], object[MOST], behind[64];
} memory __attribute__((aligned(64)));

static void fresh(size_t size)
{
	memset(&memory, 0xff, sizeof(memory));
	wipe_set(memory.object, size, MARK);
}

TEST(all_of_it_is_wiped_and_no_more, NULL, NULL)
{
	for (size_t size = 16; size <= MOST; size += 16) {
		fresh(size);
		for (size_t i = 0; i < size; i++)
			assert_true(i / 8 == 1 || !memory.object[i]);
		assert_int_equal(((mark_word *)memory.object)[1], MARK);
		assert_int_equal(memory.before[63], -1);
		assert_int_equal(size < MOST ? memory.object[size] :
					       memory.behind[0],
				 -1);
		assert_true(wipe_has_ends(memory.object, size, MARK));
		assert_true(wipe_is_whole(memory.object, size, MARK));
	}
}

TEST(any_bit_is_seen, NULL, NULL)
{
	bool ends;

	for (size_t size = 16; size <= MOST; size += size < 1280 ? 16 : 256)
		for (size_t i = 0; i < size; i++) {
			fresh(size);
			memory.object[i] ^= (char)(1 << i % 8);
			ends = i < 64 || i >= size - 64;
			assert_int_equal(
				wipe_has_ends(memory.object, size, MARK),
				!ends);
			assert_int_equal(
				wipe_is_whole(memory.object, size, MARK),
				!ends && i >= WIPE_LOOK_MOST);
		}
}

/* Sixteen bytes behind the size, as far as there are, and the canary. */
TEST(what_is_written_behind_is_seen, NULL, NULL)
{
	size_t size, asked, seen, i;
	char *object = memory.object;

	for (size = 16; size <= 160; size += 16)
		for (asked = 0; asked <= size - CANARY_SIZE; asked++) {
			memset(&memory, 0, sizeof(memory));
			canary_set(object, size, asked);
			memset(object, 0x55, asked);
			assert_int_equal(memory.before[63], 0);
			assert_int_equal(object[size], 0);
			assert_true(canary_holds(object, size, &seen));
			assert_int_equal(seen, asked);
			for (i = asked; i < size; i++) {
				object[i] ^= 4;
				assert_int_equal(
					canary_holds(object, size, &seen),
					i >= asked + SLACK_HARDENED &&
						i < size - CANARY_SIZE);
				object[i] ^= 4;
			}
		}
}

TEST_MAIN(heap_setup, NULL)
