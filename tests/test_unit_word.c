/* unit_word.h against slow definitions, over many words x all arguments */
#include <stdlib.h>

#include "../stress/harness/random.h"
#include "cases.h"
#include "pageheap/unit_word.h"

static uint64_t words[4096];
static unsigned nr_words;

static void add(uint64_t word)
{
	words[nr_words++] = word;
	words[nr_words++] = ~word;
}

/* All runs at steps of 3, words of 8 bits spread, and random ones. */
static int make_words(void **state)
{
	uint64_t seed = 0, random;

	(void)state;
	add(0);
	for (unsigned n = 1; n <= 64; n += 3) {
		for (unsigned i = 0; i + n <= 64; i += 3)
			add(bits_range(i, n));
	}
	for (unsigned i = 0; i < 256; i++)
		add((uint64_t)i * 0x0101010101010101u);
	for (unsigned i = 0; i < 500; i++) {
		random = random_next(&seed);
		add(i % 2 ? random : random & random >> 9);
	}
	return nr_words < 4096 ? 0 : -1;
}

static bool is_run(uint64_t word, unsigned first, unsigned n)
{
	uint64_t mask = bits_range(first, n);

	return first + n <= 64 && (word & mask) == mask;
}

static unsigned slow_find(uint64_t word, unsigned n, unsigned align)
{
	for (unsigned i = 0; i + n <= 64; i += align) {
		if (is_run(word, i, n))
			return i;
	}
	return UNIT_WORD_NONE;
}

TEST(finds_the_lowest_run)
{
	for (unsigned i = 0; i < nr_words; i++) {
		for (unsigned n = 1; n <= 64; n++) {
			for (unsigned align = 1; align <= 64; align *= 2)
				assert_int_equal(
					unit_word_find(words[i], n, align),
					slow_find(words[i], n, align));
		}
	}
}

TEST(starts_are_all_starts)
{
	for (unsigned i = 0; i < nr_words; i += 7) {
		for (unsigned n = 1; n <= 64; n++) {
			uint64_t starts = unit_word_starts(words[i], n);

			for (unsigned at = 0; at < 64; at++)
				assert_int_equal(!!(starts & bits_one(at)),
						 is_run(words[i], at, n));
		}
	}
}

TEST(class_is_the_largest_run)
{
	unsigned i, n, largest;

	for (i = 0; i < nr_words; i++) {
		for (largest = 0, n = 1; n <= 64; n++) {
			if (slow_find(words[i], n, 1) != UNIT_WORD_NONE)
				largest = n;
		}
		assert_int_equal(unit_word_class(words[i]),
				 largest ? bits_last(largest)
					 : UNIT_WORD_CLASSES);
	}
}

TEST(compares_classes)
{
	for (unsigned i = 0; i < nr_words; i++) {
		for (unsigned j = 0; j < nr_words; j++)
			assert_int_equal(
				unit_word_same_class(words[i], words[j]),
				unit_word_class(words[i]) ==
					unit_word_class(words[j]));
	}
}

TEST(prefers_dirty_runs)
{
	unsigned i, n, first, dirty;

	for (i = 1; i < nr_words; i++) {
		for (n = 1; n <= 64; n += 5) {
			first = unit_word_pick(words[i], words[i - 1], n, 1);
			dirty = slow_find(words[i] & words[i - 1], n, 1);
			if (dirty == UNIT_WORD_NONE)
				dirty = slow_find(words[i], n, 1);
			assert_int_equal(first, dirty);
		}
	}
}

/* A purge takes nothing that is not free, only whole pages, and no page
 * without a dirty unit; and all the pages that are so. */
TEST(purges_whole_pages)
{
	unsigned i, page, at;

	for (i = 1; i < nr_words; i++) {
		uint64_t free = words[i], dirty = words[i - 1];

		assert_true(unit_word_purgeable(free, dirty, 1) ==
			    (free & dirty));
		page = 2;
		for (at = 0; at < 64; at += page) {
			uint64_t two = bits_range(at, page);
			bool yes = (free & two) == two && (dirty & two);
			uint64_t mask = unit_word_purgeable(free, dirty, page);

			assert_true((mask & two) == (yes ? two : 0));
		}
	}
}

TEST(highest_bits)
{
	for (unsigned i = 0; i < nr_words; i++) {
		for (unsigned n = 0; n <= 65; n++) {
			uint64_t high = unit_word_highest(words[i], n);
			uint64_t rest = words[i] & ~high;

			assert_true((high & words[i]) == high);
			assert_int_equal(bits_count(high),
					 min_size(n, bits_count(words[i])));
			if (high && rest)
				assert_true(rest < (high & -high));
		}
	}
}

TEST(run_lengths)
{
	unsigned i, first, n;

	for (i = 0; i < nr_words; i++) {
		for (first = 0; first < 64; first++) {
			if (!(words[i] & bits_one(first)))
				continue;
			for (n = 1; is_run(words[i], first, n + 1); n++)
				;
			assert_int_equal(unit_word_run(words[i], first), n);
		}
	}
	assert_int_equal(unit_word_run(0, 0), 0);
}

/* Bit by bit, to both sides, until nothing is added. */
static uint64_t slow_widen(uint64_t word, uint64_t open)
{
	uint64_t wide = word, was;

	do {
		was = wide;
		wide |= (wide << 1 | wide >> 1) & open;
	} while (wide != was);
	return wide;
}

TEST(widens_to_whole_runs)
{
	for (unsigned i = 0; i < nr_words; i++) {
		for (unsigned k = 0; k < 50; k++) {
			uint64_t open = words[(i * 7 + k * 31) % nr_words];

			assert_true(unit_word_widen(words[i], open) ==
				    slow_widen(words[i], open));
		}
	}
}

TEST_MAIN(make_words, NULL)
