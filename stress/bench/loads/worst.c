/* worst: how long the longest malloc and the longest free take
 *
 * The work is latency's. Three stretches are timed: a malloc, the first touch
 * of its block (all pages of it: what a malloc puts off is paid there), a
 * free; and one that calls nothing and only looks at the clock for as long as
 * the last malloc took of its own: what its longest has beyond malloc's is
 * the machine's, by interrupts and by whoever else has it.
 *
 * Prints for each, in nanoseconds: worst, the longest by the clock; own, the
 * longest without what the kernel gave to others meanwhile (apart.h); over,
 * how many took more than OVER_NS of their own. Each stretch is preceded by
 * two system calls, so the load's time is nobody's figure.
 */
#define _GNU_SOURCE /* RUSAGE_THREAD */
#include "loads/apart.h"
#include "loads/boxes.h"

#include <stdio.h>
#include <stdlib.h>

#define OVER_NS 100000
#define NOTHING_MOST_NS 100000

enum stretch { MALLOC, TOUCH, FREE, NOTHING, NR_STRETCHES };

static const char *const names[NR_STRETCHES] = { "malloc", "touch", "free",
						 "nothing" };

struct longest {
	uint64_t worst_ns, own_ns, nr_over;
};

struct book {
	_Alignas(128) struct longest of[NR_STRETCHES];
	struct block live[BOXES_LIVE];
};

struct worst {
	struct box *boxes;
	struct book *books;
};

static void longest_add(struct longest *longest, uint64_t all_ns,
			uint64_t own_ns, uint64_t nr_over)
{
	if (all_ns > longest->worst_ns)
		longest->worst_ns = all_ns;
	if (own_ns > longest->own_ns)
		longest->own_ns = own_ns;
	longest->nr_over += nr_over;
}

/* Returns its own time. */
static uint64_t book_end(struct book *book, enum stretch stretch,
			 const struct apart *apart)
{
	uint64_t all_ns = clock_ns(CLOCK_MONOTONIC) - apart->start_ns;
	uint64_t own_ns = apart_own_ns(apart, all_ns);

	longest_add(&book->of[stretch], all_ns, own_ns, own_ns > OVER_NS);
	return own_ns;
}

/* ---- the work ---- */

static void timed_nothing(struct book *book, uint64_t ns)
{
	struct apart apart = apart_begin();

	if (ns > NOTHING_MOST_NS)
		ns = NOTHING_MOST_NS;
	while (clock_ns(CLOCK_MONOTONIC) - apart.start_ns < ns)
		;
	book_end(book, NOTHING, &apart);
}

static void timed_touch(struct worker *worker, struct book *book,
			const struct block *block)
{
	struct apart apart = apart_begin();

	load_pages(block->at, 0, block->size);
	book_end(book, TOUCH, &apart);
	load_fill(worker->run, block->at, block->size);
}

static void timed_malloc(struct worker *worker, struct book *book,
			 struct block *block)
{
	size_t size = boxes_size(worker);
	struct apart apart = apart_begin();
	uint64_t ns;

	block->at = malloc(size);
	ns = book_end(book, MALLOC, &apart);
	block->size = size;
	load_must(block->at, size);
	timed_touch(worker, book, block);
	timed_nothing(book, ns);
}

static void timed_free(struct worker *worker, struct book *book,
		       struct block *block)
{
	struct apart apart;

	load_check(worker->run, block->at, block->size);
	apart = apart_begin();
	free(block->at);
	book_end(book, FREE, &apart);
	block->at = NULL;
}

static void worst_body(struct worker *worker)
{
	struct worst *worst = worker->shared;
	struct book *book = &worst->books[worker->index];

	boxes_work(worker, worst->boxes, book, book->live, timed_malloc,
		   timed_free);
}

/* ---- the report ---- */

static void report_one(const char *what, const char *which, uint64_t number)
{
	char key[32];

	snprintf(key, sizeof(key), "%s_%s", what, which);
	load_result(key, (double)number);
}

static void report(const struct run *run, const struct book *books)
{
	struct longest sum[NR_STRETCHES] = { { 0 } };

	for (unsigned i = 0; i < run->threads * NR_STRETCHES; i++) {
		unsigned stretch = i % NR_STRETCHES;
		const struct longest *of = &books[i / NR_STRETCHES].of[stretch];

		longest_add(&sum[stretch], of->worst_ns, of->own_ns,
			    of->nr_over);
	}
	for (unsigned i = 0; i < NR_STRETCHES; i++) {
		report_one(names[i], "worst", sum[i].worst_ns);
		report_one(names[i], "own", sum[i].own_ns);
		report_one(names[i], "over", sum[i].nr_over);
	}
}

static void worst_run(const struct run *run)
{
	size_t boxes_bytes = run->threads * sizeof(struct box);
	size_t books_bytes = run->threads * sizeof(struct book);
	struct worst worst = { load_table(boxes_bytes),
			       load_table(books_bytes) };

	load_parallel(run, worst_body, &worst);
	boxes_empty(run, worst.boxes);
	report(run, worst.books);
	load_table_free(worst.boxes, boxes_bytes);
	load_table_free(worst.books, books_bytes);
}

LOAD(worst) = {
	.name = "worst",
	.about = "latency's work, the longest call with and without the time "
		 "that the kernel gave to others "
		 "(getrusage(2): switches that were not asked for)",
	.parallel = true, .operations = 400000, .run = worst_run
};
