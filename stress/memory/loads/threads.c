/* pool, short, sessions: threads that come and go, or take turns
 *
 * They mark `work` when the work is done and `idle` four seconds later.
 * Operations are MiB of live memory at most.
 */
#include "../board.h"

#include "load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define NR_POOL 20
#define POOL_TURNS 40
#define NR_SHORT 16
#define SHORT_BLOCKS 2000
#define SESSION_BLOCKS 400
#define SESSION_TURNS 6

static size_t usual_size(struct worker *worker)
{
	return load_below(worker, 100) ? load_between(worker, 16, 616) :
		load_between(worker, 50000, 450000);
}

/* ---- pool: the threads wait, one of them works ---- */

struct pool {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	const struct run *run;
	int turn;		/* of all turns; POOL_TURNS: the end */
};

struct member {
	struct pool *pool;
	int index;
	pthread_t id;
};

static void job(struct worker *worker, size_t most)
{
	size_t room = most / 16, nr = 0;
	void **blocks = board_table(room * sizeof(*blocks));
	size_t *sizes = board_table(room * sizeof(*sizes));

	for (size_t bytes = 0; bytes < most; nr++) {
		sizes[nr] = usual_size(worker);
		blocks[nr] = board_get(sizes[nr]);
		bytes += sizes[nr];
	}
	while (nr-- > 0)
		board_put(blocks[nr], sizes[nr]);
	board_table_free(blocks, room * sizeof(*blocks));
	board_table_free(sizes, room * sizeof(*sizes));
}

static void *member_main(void *argument)
{
	struct member *member = argument;
	struct pool *pool = member->pool;
	struct worker worker = load_worker(pool->run, (unsigned)member->index);

	pthread_mutex_lock(&pool->mutex);
	for (;;) {
		while (pool->turn < POOL_TURNS &&
		       pool->turn % NR_POOL != member->index)
			pthread_cond_wait(&pool->changed, &pool->mutex);
		if (pool->turn == POOL_TURNS)
			break;
		job(&worker, pool->run->operations << 20);
		pool->turn++;
		pthread_cond_broadcast(&pool->changed);
	}
	pthread_mutex_unlock(&pool->mutex);
	/* The pool's threads sleep on while it is idle. */
	pause();
	return NULL;
}

static void pool(const struct run *run)
{
	static struct member members[NR_POOL];
	static struct pool pool = { .mutex = PTHREAD_MUTEX_INITIALIZER,
				    .changed = PTHREAD_COND_INITIALIZER };

	pool.run = run;
	for (int i = 0; i < NR_POOL; i++) {
		members[i] = (struct member){ .pool = &pool, .index = i };
		if (pthread_create(&members[i].id, NULL, member_main,
				   &members[i]))
			load_die("no thread");
	}
	pthread_mutex_lock(&pool.mutex);
	while (pool.turn < POOL_TURNS)
		pthread_cond_wait(&pool.changed, &pool.mutex);
	pthread_mutex_unlock(&pool.mutex);
	board_rest("work");
}

LOAD(pool) = {
	.name = "pool",
	.about = "20 threads, one at a time fills memory and frees it",
	.operations = 100, .run = pool
};

/* ---- short: threads that end ---- */

static void *short_main(void *argument)
{
	size_t most = *(const unsigned long *)argument * 60;
	void *blocks[SHORT_BLOCKS];

	for (size_t i = 0; i < SHORT_BLOCKS; i++)
		blocks[i] = board_get(i % most + 1);
	/* So that all of them live at once. */
	usleep(2000);
	for (size_t i = 0; i < SHORT_BLOCKS; i++)
		board_put(blocks[i], i % most + 1);
	return NULL;
}

static void short_threads(const struct run *run)
{
	pthread_t ids[NR_SHORT];

	for (int turn = 0; turn < 200; turn++) {
		for (int i = 0; i < NR_SHORT; i++) {
			if (pthread_create(&ids[i], NULL, short_main,
					   (void *)&run->operations))
				load_die("no thread");
		}
		for (int i = 0; i < NR_SHORT; i++)
			pthread_join(ids[i], NULL);
	}
	board_rest("work");
}

LOAD(short) = {
	.name = "short",
	.about = "3,200 threads, 16 at a time, each with 2,000 blocks",
	.operations = 48, .run = short_threads
};

/* ---- sessions: objects born together die together ---- */

struct session {
	void *blocks[SESSION_BLOCKS];
	uint32_t sizes[SESSION_BLOCKS];
	unsigned nr;
};

/* A table whose slots any thread takes whole, by an exchange. */
struct sessions {
	size_t nr;
	_Atomic(struct session *) *slots;
};

static void session_end(struct session *session)
{
	if (!session)
		return;
	for (unsigned i = 0; i < session->nr; i++)
		board_put(session->blocks[i], session->sizes[i]);
	board_put(session, sizeof(*session));
}

static struct session *session_begin(struct worker *worker)
{
	struct session *session = board_get(sizeof(*session));

	session->nr = (unsigned)load_between(worker, SESSION_BLOCKS / 8,
					     SESSION_BLOCKS);
	for (unsigned i = 0; i < session->nr; i++) {
		session->sizes[i] = (uint32_t)load_skewed(worker, 16, 2048);
		session->blocks[i] = board_get(session->sizes[i]);
	}
	return session;
}

static void serve(struct worker *worker)
{
	struct sessions *sessions = worker->shared;
	size_t nr = SESSION_TURNS * sessions->nr / worker->run->threads;

	for (size_t i = 0; i < nr; i++) {
		size_t at = load_below(worker, sessions->nr);

		/* Both ways: the session's words. */
		session_end(atomic_exchange_explicit(
			&sessions->slots[at], session_begin(worker),
			memory_order_acq_rel));
	}
}

static void sessions(const struct run *run)
{
	struct sessions sessions = { .nr = (run->operations << 20) / 147000 };
	struct worker worker = load_worker(run, run->threads);

	sessions.slots = board_table(sessions.nr * sizeof(*sessions.slots));
	load_parallel(run, serve, &sessions);
	board_mark("work");
	for (size_t i = 0; i < sessions.nr; i++) {
		if (load_below(&worker, 10))
			session_end(atomic_exchange_explicit(
				&sessions.slots[i], NULL,
				memory_order_acq_rel));
	}
	board_rest("shrink");
}

LOAD(sessions) = {
	.name = "sessions",
	.about = "objects born together die together; nine of ten end",
	.parallel = true, .operations = 128, .run = sessions
};
