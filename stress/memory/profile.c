/* profile: the texts, which the program holds, and draws from them */
#include "profile.h"
#include "board.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_ROWS 2048

/* The text of profiles/N.txt, with a 0 behind it, as profile_text_N. */
#define TEXT(n)								\
	__asm__(".pushsection .rodata\n"				\
		"profile_text_" #n ":\n"				\
		".incbin \"stress/memory/profiles/" #n ".txt\"\n"	\
		".byte 0\n"						\
		".popsection\n");					\
	extern const char profile_text_##n[]				\
		__attribute__((visibility("hidden")));
TEXT(0) TEXT(1) TEXT(2) TEXT(3) TEXT(4)
TEXT(5) TEXT(6) TEXT(7) TEXT(8) TEXT(9)

static const char *const texts[NR_PROFILES] = {
	profile_text_0, profile_text_1, profile_text_2, profile_text_3,
	profile_text_4, profile_text_5, profile_text_6, profile_text_7,
	profile_text_8, profile_text_9
};

static void row_add(struct profile *profile, double size, double rate,
		    double live)
{
	struct profile_row *row = &profile->rows[profile->nr_rows];

	if (profile->nr_rows == MOST_ROWS)
		load_die("a profile has more than %d rows", MOST_ROWS);
	row->size = (size_t)size;
	row->life = live / rate;
	row->born = rate + (profile->nr_rows ? row[-1].born : 0);
	row->lives = live + (profile->nr_rows ? row[-1].lives : 0);
	profile->rate_size += rate * size;
	profile->live_size += live * size;
	profile->nr_rows++;
}

struct profile *profile_read(unsigned number, size_t most)
{
	struct profile *profile = board_table(sizeof(*profile));
	const char *text = texts[number];
	double size, rate, live;
	int length;

	profile->rows = board_table(MOST_ROWS * sizeof(*profile->rows));
	while (*text++ != '\n')
		;
	while (sscanf(text, "%lf %lf %lf%n", &size, &rate, &live,
		      &length) == 3) {
		if (size <= (double)most && rate > 0 && live > 0)
			row_add(profile, size, rate, live);
		text += length;
	}
	if (!profile->nr_rows)
		load_die("profile %u has no sizes up to %zu", number, most);
	return profile;
}

double profile_uniform(struct worker *worker)
{
	return ((double)(load_random(worker) >> 11) + 1) * 0x1p-53;
}

double profile_exponential(struct worker *worker, double mean)
{
	return -mean * log(profile_uniform(worker));
}

/* The first row whose sum, at this offset within a row, reaches a number. */
static unsigned draw(const struct profile *profile, struct worker *worker,
		     const double *sums)
{
	const size_t stride = sizeof(struct profile_row) / sizeof(double);
	unsigned low = 0, high = profile->nr_rows - 1, middle;
	double number = profile_uniform(worker) * sums[high * stride];

	while (low < high) {
		middle = (low + high) / 2;
		if (sums[middle * stride] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

unsigned profile_birth(const struct profile *profile, struct worker *worker)
{
	return draw(profile, worker, &profile->rows->born);
}

unsigned profile_live(const struct profile *profile, struct worker *worker)
{
	return draw(profile, worker, &profile->rows->lives);
}

double profile_turnover(const struct profile *profile)
{
	return profile->live_size / profile->rate_size;
}

double profile_mean_live(const struct profile *profile)
{
	return profile->live_size / profile->rows[profile->nr_rows - 1].lives;
}
