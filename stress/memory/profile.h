/* profile: how often blocks of which size come, and how long they live
 *
 * Out of profiles/N.txt: births of a size come in proportion to its rate, and
 * a block of it lives exponentially long with the mean of live / rate
 * (Little's law), so that as many live as the profile says.
 */
#ifndef PROFILE_H
#define PROFILE_H

#include "load.h"

#define NR_PROFILES 10

struct profile_row {
	size_t size;
	double life;		/* mean, in the profile's time */
	double born, lives;	/* the sums of rate and live up to this row */
};

struct profile {
	unsigned nr_rows;
	struct profile_row *rows;
	double rate_size, live_size; /* bytes a unit of time, bytes */
};

/* The rows with sizes up to `most`. In a table that lives for ever. */
struct profile *profile_read(unsigned number, size_t most);

/* A row, by the rates of birth or by what lives. */
unsigned profile_birth(const struct profile *profile, struct worker *worker);
unsigned profile_live(const struct profile *profile, struct worker *worker);

/* The time in which as many bytes are born as live. */
double profile_turnover(const struct profile *profile);

double profile_mean_live(const struct profile *profile);

/* A number of 0..1 (never 0), and one exponentially distributed. */
double profile_uniform(struct worker *worker);
double profile_exponential(struct worker *worker, double mean);

#endif
