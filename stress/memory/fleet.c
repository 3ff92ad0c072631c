/* fleet: births, deaths and letters of a part */
#include "fleet.h"
#include "board.h"

#include <unistd.h>

#include "../harness/clock.h"

#define REMOTE_SHARE 8	/* one death in so many is another thread's */
#define CHANGE 0.4	/* the part of a stage in which a heap is shifted */
#define SURVIVORS 0.1	/* of a shrink */
#define PACE_SECONDS 1.0 /* a stage lasts at least so long */
#define PACE_TICKS 64	/* so often it is looked at */

void part_make(struct part *part, struct profile *const *profiles,
	       size_t share)
{
	double most = 4096;

	for (int i = 0; i < FLEET_PROFILES && profiles[i]; i++) {
		part->profiles[i] = profiles[i];
		most += 3 * (double)share / profile_mean_live(profiles[i]);
	}
	part->share = share;
	part->nr_items = (uint32_t)most;
	part->nr_used = 1;
	part->items = board_table(part->nr_items * sizeof(*part->items));
	part->ticks = board_table(FLEET_TICKS * sizeof(*part->ticks));
}

static const struct profile_row *item_row(const struct part *part,
					  const struct item *item)
{
	return &part->profiles[item->profile]->rows[item->row];
}

/* ---- items ---- */

static struct item *item_take(struct part *part)
{
	struct item *item = &part->items[part->free];

	if (part->free) {
		part->free = item->next;
		return item;
	}
	if (part->nr_used == part->nr_items)
		load_die("no room for more than %u blocks", part->nr_items);
	return &part->items[part->nr_used++];
}

/* Puts it into the list of `time`, which lies in the tick `from` or later. */
static void item_plan(struct part *part, struct item *item, double time,
		      unsigned from)
{
	double tick = time / part->span * FLEET_TICKS;
	unsigned at = tick < FLEET_TICKS ? (unsigned)tick : FLEET_TICKS;

	if (at < from)
		at = from;
	if (at >= FLEET_TICKS)
		return;
	item->next = part->ticks[at];
	part->ticks[at] = (uint32_t)(item - part->items);
}

static struct item *item_make(struct part *part, int profile, unsigned row)
{
	struct item *item = item_take(part);

	item->profile = (uint16_t)profile;
	item->row = (uint16_t)row;
	item->block = board_get(item_row(part, item)->size);
	return item;
}

/* ---- letters ---- */

static void letters_read(struct part *part)
{
	/* Acquire with letter_send(): the size in the block. */
	struct letter *letter = atomic_exchange_explicit(
		&part->letters, NULL, memory_order_acquire);
	struct letter *next;

	for (; letter; letter = next) {
		next = letter->next;
		board_put(letter, letter->size);
	}
}

static void letter_send(struct part *to, void *block, size_t size)
{
	struct letter *letter = block;

	letter->size = size;
	letter->next = atomic_load_explicit(&to->letters,
					    memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
		       &to->letters, &letter->next, letter,
		       memory_order_release, memory_order_relaxed))
		;
}

static void item_die(struct part *part, uint32_t index)
{
	struct item *item = &part->items[index];
	size_t size = item_row(part, item)->size;

	if (part->neighbour != part && size >= sizeof(struct letter) &&
	    !load_below(part->worker, REMOTE_SHARE))
		letter_send(part->neighbour, item->block, size);
	else
		board_put(item->block, size);
	item->block = NULL;
	item->next = part->free;
	part->free = index;
}

/* ---- stages ---- */

void part_fill(struct part *part)
{
	size_t bytes = 0;

	while (bytes < part->share)
		bytes += item_row(part, item_make(part, 0, profile_live(
			part->profiles[0], part->worker)))->size;
}

double die_by_profile(struct part *part, const struct item *item)
{
	return profile_exponential(part->worker, item_row(part, item)->life);
}

double die_early(struct part *part, const struct item *item)
{
	(void)item;
	return CHANGE * part->span * profile_uniform(part->worker);
}

double die_mostly(struct part *part, const struct item *item)
{
	(void)item;
	if (profile_uniform(part->worker) < SURVIVORS)
		return part->span;
	return part->span * profile_uniform(part->worker);
}

void part_plan(struct part *part, double span,
	       double (*choose)(struct part *part, const struct item *item))
{
	part->span = span;
	for (unsigned i = 0; i < FLEET_TICKS; i++)
		part->ticks[i] = 0;
	for (uint32_t i = 1; i < part->nr_used; i++) {
		struct item *item = &part->items[i];

		if (item->block)
			item_plan(part, item, choose(part, item), 0);
	}
}

/* Those that are born until `end`; returns when the next one comes. */
static double births(struct part *part, const struct stage *stage,
		     double next, double end, unsigned tick)
{
	struct profile *profile = part->profiles[stage->profile];
	double rate = profile->rows[profile->nr_rows - 1].born *
		(double)part->share / profile->live_size;

	for (; next < end; next += profile_exponential(part->worker,
						       1 / rate)) {
		unsigned row = profile_birth(profile, part->worker);
		struct item *item = item_make(part, stage->profile, row);

		item_plan(part, item, next + profile_exponential(
			part->worker, profile->rows[row].life), tick + 1);
	}
	return next;
}

/* What comes of a first heap until `end`; returns the bytes that came. */
static double arrivals(struct part *part, const struct stage *stage,
		       double came, double end, unsigned tick)
{
	struct profile *profile = part->profiles[stage->profile];
	double wanted = end / (CHANGE * stage->span) * (double)part->share;

	if (wanted > (double)part->share)
		wanted = (double)part->share;
	while (came < wanted) {
		unsigned row = profile_live(profile, part->worker);
		struct item *item = item_make(part, stage->profile, row);

		came += (double)profile->rows[row].size;
		item_plan(part, item, end + profile_exponential(
			part->worker, profile->rows[row].life), tick + 1);
	}
	return came;
}

static void deaths(struct part *part, unsigned tick)
{
	uint32_t index = part->ticks[tick], next;

	for (; index; index = next) {
		next = part->items[index].next;
		item_die(part, index);
	}
}

/*
 * Mallocs give memory back by the clock, too: a heap that turns over within
 * milliseconds would show nothing of it.
 */
static void keep_pace(double start, unsigned tick)
{
	double ahead = start + PACE_SECONDS * tick / FLEET_TICKS -
		clock_seconds();

	if (ahead > 0)
		usleep((useconds_t)(ahead * 1e6));
}

void part_run(struct part *part, const struct stage *stage)
{
	double next = 0, came = 0, start = clock_seconds();

	for (unsigned tick = 0; tick < FLEET_TICKS; tick++) {
		double end = (tick + 1) * stage->span / FLEET_TICKS;

		if (stage->profile >= 0)
			next = births(part, stage, next, end, tick);
		if (stage->comes)
			came = arrivals(part, stage, came, end, tick);
		deaths(part, tick);
		letters_read(part);
		if (!(tick % PACE_TICKS))
			keep_pace(start, tick);
	}
}

void part_end(struct part *part)
{
	letters_read(part);
	for (uint32_t i = 1; i < part->nr_used; i++) {
		struct item *item = &part->items[i];

		if (item->block)
			board_put(item->block, item_row(part, item)->size);
	}
}
