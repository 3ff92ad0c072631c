/* storm_work: queues of blocks and random live sets; part of storm.h */
#ifndef STORM_WORK_H
#define STORM_WORK_H

/* ---- a bounded queue of blocks between threads ----
 *
 * Each cell carries the turn at which it may be written (2 * lap) or read
 * (2 * lap + 1). locked: the same under a mutex, so that hand-over goes
 * through both kinds of synchronisation. Not for handlers.
 */

struct ring_cell {
	_Atomic(uint64_t) turn;
	struct block block;
};

struct ring {
	_Alignas(64) _Atomic(uint64_t) put;
	_Alignas(64) _Atomic(uint64_t) got;
	_Alignas(64) pthread_mutex_t mutex;
	bool locked;
	uint64_t size;
	struct ring_cell *cells;
};

static inline void ring_init(struct ring *ring, uint64_t size, bool locked)
{
	memset(ring, 0, sizeof(*ring));
	pthread_mutex_init(&ring->mutex, NULL);
	ring->locked = locked;
	ring->size = size;
	ring->cells = storm_map(size * sizeof(*ring->cells));
	must(ring->cells);
}

static inline void ring_fini(struct ring *ring)
{
	must(ring->put == ring->got);
	must(!munmap(ring->cells, ring->size * sizeof(*ring->cells)));
	pthread_mutex_destroy(&ring->mutex);
}

/* Wins the cell whose turn is 2 * lap + kind, or NULL: full or empty. */
static inline struct ring_cell *
ring_claim(struct ring *ring, _Atomic(uint64_t) *count, uint64_t kind)
{
	struct ring_cell *cell;
	uint64_t n = atomic_load(count), turn;

	for (;;) {
		cell = &ring->cells[n % ring->size];
		turn = atomic_load(&cell->turn);
		if (turn == n / ring->size * 2 + kind) {
			if (atomic_compare_exchange_weak(count, &n, n + 1))
				return cell;
		} else if (turn < n / ring->size * 2 + kind) {
			return NULL;
		} else {
			n = atomic_load(count);
		}
	}
}

static inline bool ring_move(struct ring *ring, struct block *in,
			     struct block *out)
{
	struct ring_cell *cell;

	if (ring->locked)
		pthread_mutex_lock(&ring->mutex);
	cell = in ? ring_claim(ring, &ring->put, 0)
		  : ring_claim(ring, &ring->got, 1);
	if (cell && in)
		cell->block = *in;
	if (cell && out)
		*out = cell->block;
	if (cell)
		atomic_fetch_add(&cell->turn, 1);
	if (ring->locked)
		pthread_mutex_unlock(&ring->mutex);
	return cell;
}

static inline bool ring_try_put(struct ring *ring, struct block *b)
{
	return ring_move(ring, b, NULL);
}

static inline bool ring_try_get(struct ring *ring, struct block *b)
{
	return ring_move(ring, NULL, b);
}

static inline void ring_drain(struct ring *ring)
{
	struct block b;

	while (ring_try_get(ring, &b))
		block_free(&b);
}

/* What is still on its way is freed. */
static inline void ring_end(struct ring *ring)
{
	ring_drain(ring);
	ring_fini(ring);
}

/* ---- a random live set: the work of a thread ---- */

struct live {
	struct rng rng;
	uint64_t owner;
	size_t most; /* largest size; one in 16 goes beyond 4 KiB */
	unsigned nr_slots;
	struct block *slots;
	struct ring *ring; /* hand-over; may be NULL */
};

static inline void live_init(struct live *live, uint64_t owner, size_t most,
			     unsigned nr_slots, struct ring *ring)
{
	live->rng = rng_make(owner);
	live->owner = owner;
	live->most = most;
	live->nr_slots = nr_slots;
	live->slots = storm_map(nr_slots * sizeof(*live->slots));
	live->ring = ring;
	must(live->slots);
}

static inline size_t live_size(struct live *live)
{
	bool small = live->most <= 4 * KIB || rng_below(&live->rng, 16);

	return rng_size(&live->rng,
			small && live->most > 4 * KIB ? 4 * KIB : live->most);
}

static inline bool live_alloc(struct live *live, struct block *b)
{
	size_t size = live_size(live);

	switch (rng_below(&live->rng, 8)) {
	case 0:
		return block_calloc(b, size, live->owner);
	case 1:
		return block_aligned(b, (size_t)8 << rng_below(&live->rng, 10),
				     size, live->owner);
	default:
		return block_malloc(b, size, live->owner);
	}
}

/* The block goes to some thread, and another one's comes. */
static inline void live_swap(struct live *live, struct block *b)
{
	if (!live->ring || !ring_try_put(live->ring, b)) {
		block_free(b);
		return;
	}
	b->at = NULL;
	if (!ring_try_get(live->ring, b))
		b->at = NULL;
}

static inline void live_step(struct live *live)
{
	struct block *b = &live->slots[rng_below(&live->rng, live->nr_slots)];

	if (!b->at) {
		must(live_alloc(live, b));
		return;
	}
	switch (rng_below(&live->rng, 8)) {
	case 0:
	case 1:
		must(block_realloc(b, live_size(live)));
		return;
	case 2:
		live_swap(live, b);
		return;
	default:
		block_free(b);
	}
}

static inline void live_fini(struct live *live)
{
	for (unsigned i = 0; i < live->nr_slots; i++)
		block_free(&live->slots[i]);
	must(!munmap(live->slots, live->nr_slots * sizeof(*live->slots)));
}

#endif
