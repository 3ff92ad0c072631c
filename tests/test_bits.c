/* base/bits.h, by enumeration against the obvious loops */
#include "base/bits.h"
#include "cases.h"

/* Words whose bits matter: one run of ones at every place, and a mixture. */
#define FOR_EACH_WORD(word)                                       \
	for (unsigned first_ = 0; first_ < 64; first_++)          \
		for (unsigned n_ = 1; first_ + n_ <= 64; n_++)    \
			for (unsigned mix_ = 0; mix_ < 2; mix_++) \
				if ((word = word_of(first_, n_, mix_)) || true)

static uint64_t word_of(unsigned first, unsigned n, unsigned mix)
{
	uint64_t word = 0;

	for (unsigned i = first; i < first + n; i++)
		word |= (uint64_t)1 << i;
	return mix ? word & 0x9a5be3c71d2f4806u : word;
}

static bool bit(uint64_t word, unsigned i)
{
	return word >> i & 1;
}

TEST(test_low)
{
	for (unsigned n = 0; n <= 64; n++) {
		for (unsigned i = 0; i < 64; i++)
			assert_int_equal(bit(bits_low(n), i), i < n);
	}
	assert_int_equal(bits_low(65), ALL_ONES);
}

TEST(test_range)
{
	for (unsigned first = 0; first <= 64; first++) {
		for (unsigned n = 0; first + n <= 64; n++) {
			for (unsigned i = 0; i < 64; i++)
				assert_int_equal(bit(bits_range(first, n), i),
						 i >= first && i < first + n);
		}
	}
}

TEST(test_one)
{
	for (unsigned i = 0; i < 64; i++) {
		for (unsigned j = 0; j < 64; j++)
			assert_int_equal(bit(bits_one(i), j), i == j);
	}
}

TEST(test_count_first_last)
{
	unsigned i, n, first, last;
	uint64_t word;

	assert_int_equal(bits_count(0), 0);
	FOR_EACH_WORD(word)
	{
		n = first = last = 0;
		for (i = 0; i < 64; i++) {
			first = bit(word, i) && !n ? i : first;
			last = bit(word, i) ? i : last;
			n += bit(word, i);
		}
		assert_int_equal(bits_count(word), n);
		if (!word)
			continue;
		assert_int_equal(bits_first(word), first);
		assert_int_equal(bits_last(word), last);
	}
}

TEST(test_power_of_two)
{
	uint64_t word;

	assert_false(is_power_of_two(0));
	for (unsigned i = 0; i < 64; i++)
		assert_true(is_power_of_two((size_t)1 << i));
	FOR_EACH_WORD(word)
	assert_int_equal(is_power_of_two(word), bits_count(word) == 1);
}

TEST(test_round)
{
	size_t to, n, up;

	for (to = 1; to <= 4096; to *= 2) {
		up = 0;
		for (n = 0; n < 3 * 4096; n++) {
			up += n > up ? to : 0;
			assert_int_equal(round_up(n, to), up);
			assert_int_equal(round_down(n, to), n / to * to);
		}
	}
}

/* The one before the first overflow, and what overflows wraps to 0. */
TEST(test_round_end)
{
	size_t to;

	for (unsigned i = 0; i < 64; i++) {
		to = (size_t)1 << i;
		assert_int_equal(round_up(-to, to), -to);
		assert_int_equal(round_down(SIZE_MAX, to), -to);
		if (i)
			assert_int_equal(round_up(-to + 1, to), 0);
	}
}

TEST(test_div_up)
{
	for (size_t by = 1; by < 200; by++) {
		for (size_t n = 0; n < 1000; n++) {
			assert_true(div_up(n, by) * by >= n);
			assert_true(div_up(n, by) * by < n + by);
		}
		assert_int_equal(div_up(SIZE_MAX, by), (SIZE_MAX - 1) / by + 1);
	}
}

TEST(test_min_max)
{
	static const size_t values[] = {
		0, 1, 2, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX
	};
	const size_t nr = sizeof(values) / sizeof(values[0]);

	for (size_t i = 0; i < nr; i++) {
		for (size_t j = 0; j < nr; j++) {
			assert_int_equal(min_size(values[i], values[j]),
					 values[i < j ? i : j]);
			assert_int_equal(max_size(values[i], values[j]),
					 values[i < j ? j : i]);
		}
	}
}

TEST_MAIN(NULL, NULL)
