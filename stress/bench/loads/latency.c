/* latency: how long each single malloc and free takes
 *
 * The work is that of boxes_work(). Prints nanoseconds, for malloc, for free
 * and for both together; the cost of reading the counter is taken off.
 * counter_step is what it can tell apart (10 ns on some processors): what is
 * below that is an estimate.
 */
#include "loads/boxes.h"
#include "loads/histogram.h"
#include "loads/ticks.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../harness/clock.h"

#define READS 1000
#define CALIBRATION_NS 20000000

struct book {
	_Alignas(128) struct histogram malloc, free;
	struct block live[BOXES_LIVE];
};

struct latency {
	struct box *boxes;
	struct book *books;
	uint64_t step;		/* ticks that the counter can tell apart */
	uint64_t overhead;	/* ticks that reading it takes */
};

/* ---- the clock ---- */

/* The median tells the step; the mean of many, the quietest, the cost. */
static void clock_measure(struct latency *latency)
{
	struct histogram *raw = load_table(sizeof(*raw));

	latency->overhead = UINT64_MAX;
	for (unsigned i = 0; i < 100; i++) {
		uint64_t first, last;

		for (unsigned j = 0; j < READS; j++) {
			uint64_t start = ticks_raw();

			histogram_add(raw, ticks_raw() - start);
		}
		first = last = ticks_now();
		for (unsigned j = 0; j < READS; j++)
			last = ticks_now();
		if ((last - first) / READS < latency->overhead)
			latency->overhead = (last - first) / READS;
	}
	latency->step = (uint64_t)histogram_quantile(raw, 0.5);
	load_table_free(raw, sizeof(*raw));
}

/* From a point in the past, but no closer than CALIBRATION_NS. */
static double ns_per_tick(uint64_t start_ns, uint64_t start)
{
	uint64_t ns;

	do
		ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
	while (ns < CALIBRATION_NS);
	return (double)ns / (double)(ticks_now() - start);
}

/*
 * A counter that advances by steps tells a multiple of them. Half a step of
 * noise to either side makes the quantiles those of the time itself, if times
 * begin at any point of a step.
 */
static void clocked(struct worker *worker, struct histogram *histogram,
		    uint64_t start)
{
	uint64_t ticks = ticks_now() - start;
	const struct latency *latency = worker->shared;
	uint64_t high = ticks + load_below(worker, latency->step + 1);
	uint64_t low = latency->overhead + latency->step / 2;

	histogram_add(histogram, high > low ? high - low : 0);
}

/* ---- the work ---- */

static void timed_malloc(struct worker *worker, struct book *book,
			 struct block *block)
{
	size_t size = boxes_size(worker);
	uint64_t start = ticks_now();
	void *at = malloc(size);

	clocked(worker, &book->malloc, start);
	load_must(at, size);
	load_fill(worker->run, at, size);
	*block = (struct block){ at, size };
}

static void timed_free(struct worker *worker, struct book *book,
		       struct block *block)
{
	uint64_t start;

	load_check(worker->run, block->at, block->size);
	start = ticks_now();
	free(block->at);
	clocked(worker, &book->free, start);
	block->at = NULL;
}

static void latency_body(struct worker *worker)
{
	struct latency *latency = worker->shared;
	struct book *book = &latency->books[worker->index];

	boxes_work(worker, latency->boxes, book, book->live, timed_malloc,
		   timed_free);
}

/* ---- the report ---- */

static void report(const char *what, const struct histogram *histogram,
		   double scale)
{
	static const struct {
		const char *name;
		double share;
	} quantiles[] = { { "p50", 0.5 }, { "p99", 0.99 }, { "p99.9", 0.999 },
			  { "p99.99", 0.9999 } };
	char key[32];

	for (unsigned i = 0; i < sizeof(quantiles) / sizeof(*quantiles); i++) {
		snprintf(key, sizeof(key), "%s_%s", what, quantiles[i].name);
		load_result(key, scale * histogram_quantile(
				histogram, quantiles[i].share));
	}
	snprintf(key, sizeof(key), "%s_worst", what);
	load_result(key, scale * (double)histogram->most);
}

static void report_all(const struct run *run, struct book *books, double scale)
{
	struct book *sum = load_table(sizeof(*sum));

	for (unsigned i = 0; i < run->threads; i++) {
		histogram_merge(&sum->malloc, &books[i].malloc);
		histogram_merge(&sum->free, &books[i].free);
	}
	report("malloc", &sum->malloc, scale);
	report("free", &sum->free, scale);
	histogram_merge(&sum->malloc, &sum->free);
	report("both", &sum->malloc, scale);
	load_table_free(sum, sizeof(*sum));
}

static void latency_run(const struct run *run)
{
	size_t boxes_bytes = run->threads * sizeof(struct box);
	size_t books_bytes = run->threads * sizeof(struct book);
	struct latency latency = { load_table(boxes_bytes),
				   load_table(books_bytes), 0, 0 };
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), start = ticks_now();
	double scale;

	clock_measure(&latency);
	load_parallel(run, latency_body, &latency);
	boxes_empty(run, latency.boxes);
	scale = ns_per_tick(start_ns, start);
	report_all(run, latency.books, scale);
	load_result("counter_step", scale * (double)latency.step);
	load_table_free(latency.boxes, boxes_bytes);
	load_table_free(latency.books, books_bytes);
}

LOAD(latency) = {
	.name = "latency",
	.about = "each call timed: 16 B to 8 KiB, 1 % up to 256 KiB, an "
		 "eighth freed elsewhere "
		 "(tails: Dean and Barroso, The Tail at Scale, 2013)",
	.parallel = true, .operations = 1500000, .run = latency_run
};
