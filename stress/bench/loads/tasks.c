/* tasks: a server of tasks that continue on another thread after each step
 *
 * A task is a state machine, as a coroutine is: it reads a request, parses
 * it, answers, sends, and begins anew. Each state allocates three blocks;
 * some go when the next state has used them, the rest when the answer is
 * sent. Threads take tasks by bundles out of a common queue, let each task do
 * one step, and put the bundle back, from where mostly another thread takes
 * it.
 */
#include "shared.h"

#include <stdatomic.h>

#define NR_TASKS 16	/* of a bundle */
#define PER_STEP 3
#define PER_VISIT ((unsigned long)NR_TASKS * PER_STEP)

enum state { READ, PARSE, ANSWER, SEND, NR_STATES };

struct task {
	enum state state;
	struct block blocks[NR_STATES][PER_STEP];
};

struct bundle {
	struct task tasks[NR_TASKS];
};

struct server {
	_Alignas(LINE) atomic_ulong nr_visits;
	_Alignas(LINE) struct pool *queue;
	struct bundle *bundles;
	size_t nr_bundles;
};

static const struct {
	size_t low, high;
} sizes[NR_STATES][PER_STEP] = {
	[READ] = { { 192, 256 }, { 256, 2048 }, { 16, 48 } },
	[PARSE] = { { 16, 128 }, { 16, 128 }, { 32, 96 } },
	[ANSWER] = { { 64, 1024 }, { 96, 160 }, { 80, 200 } },
	[SEND] = { { 16, 64 }, { 16, 64 }, { 128, 128 } },
};

/* What a state leaves behind is over when the state after the next begins. */
static void release(const struct run *run, struct task *task)
{
	if (task->state == ANSWER)
		block_put(run, &task->blocks[READ][1]);
	if (task->state == SEND)
		blocks_put(run, task->blocks[PARSE], PER_STEP);
	if (task->state == READ)
		blocks_put(run, task->blocks[0], NR_STATES * PER_STEP);
}

static void step(struct worker *worker, struct task *task, unsigned long nr)
{
	release(worker->run, task);
	for (unsigned long i = 0; i < PER_STEP && i < nr; i++)
		block_get(worker->run, &task->blocks[task->state][i],
			  load_between(worker, sizes[task->state][i].low,
				       sizes[task->state][i].high));
	task->state = (task->state + 1) % NR_STATES;
}

static void body(struct worker *worker)
{
	struct server *server = worker->shared;
	unsigned long total = worker->run->operations, from;

	while ((from = atomic_fetch_add_explicit(&server->nr_visits, 1,
						 memory_order_relaxed) *
		PER_VISIT) < total) {
		struct bundle *bundle = pool_take(server->queue, NULL);

		for (size_t i = 0; i < NR_TASKS && from < total; i++) {
			step(worker, &bundle->tasks[i], total - from);
			from += PER_STEP;
		}
		pool_put(server->queue, bundle);
	}
}

static void drop(const struct run *run, struct bundle *bundle)
{
	for (size_t i = 0; i < NR_TASKS; i++)
		blocks_put(run, bundle->tasks[i].blocks[0],
			   NR_STATES * PER_STEP);
}

/* So many bundles that a thread which holds some keeps nobody waiting. */
static void tasks_run(const struct run *run)
{
	struct server server = { .nr_bundles = run->threads * 2 };

	if (server.nr_bundles < 64)
		server.nr_bundles = 64;
	server.queue = pool_new(server.nr_bundles, 1);
	server.bundles = load_table(server.nr_bundles * sizeof(struct bundle));
	for (size_t i = 0; i < server.nr_bundles; i++)
		pool_put(server.queue, &server.bundles[i]);
	load_parallel(run, body, &server);
	for (size_t i = 0; i < server.nr_bundles; i++)
		drop(run, &server.bundles[i]);
	pool_free(server.queue);
	load_table_free(server.bundles,
			server.nr_bundles * sizeof(struct bundle));
}

LOAD(tasks) = {
	.name = "tasks",
	.about = "coroutines, state machines with small blocks of their own, "
		 "go on in another thread after each step (work stealing: "
		 "Blumofe and Leiserson, 1999)",
	.parallel = true, .operations = 7000000, .run = tasks_run
};
