/* layer 4.12: pool: guarded blocks; contract in pool.h */
#include "guard/pool.h"

#include "base/bits.h"
#include "guard/who.h"
#include "pageheap/page_heap.h"
#include "system/config.h"
#include "system/peek.h"
#include "system/place.h"
#include "system/system.h"

#define RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15)
#define CLAIM_TRIES 4
#define PEEK_SIZE 256
#define SLACK_BYTE 0xa9

_Atomic(uint64_t) pool_made;

static _Atomic(uint64_t) count;	      /* atomic: of blocks that came and went */
static _Atomic(uint64_t) turn;	      /* atomic: counter, of blocks */
static _Atomic(uint64_t) random_next; /* atomic: own, each value is used once */

static force_inline struct pool *pool_get(void)
{
	// [pool.made] with pool_publish(): all const fields, the page map
	return (struct pool *)(uintptr_t)load_acquire(&pool_made);
}

static size_t pool_records_size(uint32_t nr)
{
	return sizeof(struct pool) + nr * sizeof(struct slot);
}

/* Made */

static bool pool_close(struct pool *pool)
{
	int result = system_guard(pool->base, pool->size, false);

	pool->split = result;
	if (result)
		result = system_guard(pool->base, pool->size, true);
	return !result;
}

static void pool_undo(struct pool *pool, const struct run *run)
{
	size_t records = round_up(pool_records_size(pool->nr), pool->page);

	/* What cannot be made accessible again is never given to others. */
	if (!system_unguard(pool->base, pool->size, pool->split)) {
		page_map_clear(run->region, run->unit, run->nr_units);
		page_heap_give(run->region, run->unit, run->nr_units);
	}
	system_unmap(pool, records);
}

static bool pool_publish(struct pool *pool)
{
	uint64_t none = 0;

	// [pool.made] with pool_get(): all const fields, the page map
	return cas_release(&pool_made, &none, (uintptr_t)pool);
}

static bool pool_make(uint32_t nr, size_t page)
{
	struct pool *pool = place_map(pool_records_size(nr));
	size_t size = (2 * (size_t)nr + 1) * page;
	struct run run;

	if (!pool)
		return false;
	if (!page_heap_take(div_up(size, UNIT_SIZE),
			    max_size(1, page / UNIT_SIZE), 0, &run)) {
		system_unmap(pool, round_up(pool_records_size(nr), page));
		return false;
	}
	pool->base = region_addr(run.region, run.unit);
	pool->page = page;
	pool->size = size;
	pool->nr = nr;
	page_map_set_guarded(run.region, run.unit, run.nr_units);
	if (!pool_close(pool) || !pool_publish(pool))
		pool_undo(pool, &run);
	return pool_get();
}

bool guarded_start(void)
{
	if (pool_get())
		return true;
	add_relaxed(&random_next, system_random()); // own
	who_start();
	return pool_make((uint32_t)config.guard_slots, system_page_size());
}

bool guarded_is_on(void)
{
	return pool_get();
}

bool guarded_draw(void)
{
	uint64_t n;

	if (likely(!config.guard) || !pool_get())
		return false;
	n = add_relaxed(&random_next, RANDOM_STEP); // own
	return bits_scramble(n) % config.guard == 0;
}

/* Slots */

static char *slot_page(const struct pool *pool, const struct slot *slot)
{
	size_t i = (size_t)(slot - pool->slots);

	return pool->base + (2 * i + 1) * pool->page;
}

static uint64_t count_next(void)
{
	return add_relaxed(&count, 1) + 1; // own
}

/* Finds, of those that serve, the one that is free for the longest time; NULL:
 * none. *word: as it was. */
static struct slot *slot_oldest(struct pool *pool, uint64_t *word)
{
	struct slot *oldest = NULL;
	uint64_t since = UINT64_MAX, found;
	struct slot_word w;
	uint32_t i;

	for (i = 0; i < pool->nr; i++) {
		found = load_relaxed(&pool->slots[i].word); // hint: CAS checks
		w = slot_word_unpack(found);
		if (!slot_word_serves(w) || w.since >= since)
			continue;
		oldest = &pool->slots[i];
		since = w.since;
		*word = found;
	}
	return oldest;
}

static struct slot *slot_claim(struct pool *pool)
{
	struct slot *slot;
	unsigned tries;
	uint64_t word = 0, held;

	for (tries = 0; tries < CLAIM_TRIES; tries++) {
		slot = slot_oldest(pool, &word);
		if (!slot)
			return NULL;
		held = slot_word_pack(slot_word_moved(slot_word_unpack(word),
						      SLOT_HELD, count_next()));
		// [slot.word] with guarded_free(): the page, the story
		// [slot.story] with slot_read(): the word, then the story
		if (cas_acq_rel(&slot->word, &word, held))
			return slot;
	}
	return NULL;
}

/* The holder lets go; `told` may be set meanwhile, and stays. */
static void slot_let(struct slot *slot, enum slot_state state)
{
	uint64_t word = load_relaxed(&slot->word), now = count_next(); // held
	struct slot_word w;

	do {
		w = slot_word_moved(slot_word_unpack(word), state, now);
		// [slot.word] with slot_claim(), guarded_find(): page, story
	} while (!cas_release(&slot->word, &word, slot_word_pack(w)));
}

static struct slot_act act_now(uint32_t stack)
{
	return (struct slot_act){ .ms = system_now_ms(),
				  .stack = stack,
				  .tid = who_tid() };
}

/* The odd ones end with the page. */
static char *block_place(char *page, size_t page_size, size_t size,
			 size_t align, bool right)
{
	return right ? page + round_down(page_size - size, align) : page;
}

static void slack_fill(char *page, size_t page_size, const char *block,
		       size_t size)
{
	size_t before = (size_t)(block - page);

	__builtin_memset(page, SLACK_BYTE, before);
	__builtin_memset(page + before + size, SLACK_BYTE,
			 page_size - before - size);
}

void *guarded_alloc(size_t size, size_t align, uint32_t stack)
{
	struct pool *pool = pool_get();
	struct slot *slot;
	char *page, *block;

	if (!pool || size > pool->page || align > pool->page)
		return NULL;
	slot = slot_claim(pool);
	if (!slot)
		return NULL;
	page = slot_page(pool, slot);
	if (system_unguard(page, pool->page, pool->split)) {
		slot_let(slot, SLOT_FREE);
		return NULL;
	}
	block = block_place(page, pool->page, max_size(size, 1),
			    max_size(align, 16), add_relaxed(&turn, 1) & 1);
	slack_fill(page, pool->page, block, size);
	/* The page holds what was there before where the kernel refused to
	 * close it: it does for one that the program has locked. */
	__builtin_memset(block, 0, size);
	slot->story = (struct slot_story){ .block = (uintptr_t)block,
					   .size = size,
					   .made = act_now(stack) };
	slot_let(slot, SLOT_LIVE);
	return block;
}

/* NULL: it lies in a page between two. */
static struct slot *slot_of(struct pool *pool, uintptr_t at)
{
	size_t page = (at - (uintptr_t)pool->base) / pool->page;

	return page % 2 && page / 2 < pool->nr ? &pool->slots[page / 2] : NULL;
}

bool guarded_find(const void *pointer, struct block *block)
{
	struct pool *pool = pool_get();
	struct slot *slot = pool ? slot_of(pool, (uintptr_t)pointer) : NULL;
	uint64_t word;

	if (!slot)
		return false;
	// [slot.word] with slot_let(): the story
	word = load_acquire(&slot->word);
	if (slot_word_unpack(word).state != SLOT_LIVE ||
	    slot->story.block != (uintptr_t)pointer)
		return false;
	block->index = (uint32_t)(slot - pool->slots);
	block->size = slot->story.size;
	return true;
}

static const char *slack_look(const char *from, const char *end)
{
	for (; from < end; from++)
		if ((unsigned char)*from != SLACK_BYTE)
			return from;
	return NULL;
}

/* What lies behind the block comes first: there most programs go wrong. */
const void *guarded_damage(const struct block *block)
{
	struct pool *pool = pool_get();
	const struct slot *slot = &pool->slots[block->index];
	const char *page = slot_page(pool, slot), *found;
	const char *start = (const char *)(uintptr_t)slot->story.block;

	found = slack_look(start + block->size, page + pool->page);
	return found ? found : slack_look(page, start);
}

/* Takes a live block into the caller's hands; false: it is not live. */
static bool slot_hold(struct slot *slot)
{
	uint64_t word = load_relaxed(&slot->word), held; // hint: the CAS checks

	do {
		struct slot_word w = slot_word_unpack(word);

		if (w.state != SLOT_LIVE)
			return false;
		held = slot_word_pack(
			slot_word_moved(w, SLOT_HELD, count_next()));
		// [slot.story] with slot_read(): the word, then the story
	} while (!cas_acq_rel(&slot->word, &word, held));
	return true;
}

void guarded_shrink(const struct block *block, size_t size)
{
	struct slot *slot = &pool_get()->slots[block->index];

	if (!slot_hold(slot))
		return;
	__builtin_memset((char *)(uintptr_t)slot->story.block + size,
			 SLACK_BYTE, block->size - size);
	slot->story.size = size;
	slot_let(slot, SLOT_LIVE);
}

bool guarded_free(const struct block *block, uint32_t stack)
{
	struct pool *pool = pool_get();
	struct slot *slot = &pool->slots[block->index];

	if (!slot_hold(slot))
		return false;
	slot->story.freed = act_now(stack);
	system_guard(slot_page(pool, slot), pool->page, pool->split);
	slot_let(slot, SLOT_FREE);
	return true;
}

uint64_t guarded_live_size(void)
{
	struct pool *pool = pool_get();
	uint64_t size = 0;
	struct slot_story story;
	struct slot_word w;
	uint32_t i;

	for (i = 0; pool && i < pool->nr; i++)
		if (slot_read(&pool->slots[i], &w, &story) &&
		    w.state == SLOT_LIVE)
			size += story.size;
	return size;
}

/* Reports */

/* Counts the bytes between an address and the block that a slot has or had; a
 * slot that never had one is far from everything. */
static uintptr_t slot_distance(struct slot *slot, uintptr_t at)
{
	struct slot_story story;
	struct slot_word w;

	if (!slot_read(slot, &w, &story) || !story.block)
		return UINTPTR_MAX;
	if (at < story.block)
		return story.block - at;
	return at < story.block + story.size ?
		       0 :
		       at - (story.block + story.size) + 1;
}

struct slot *guarded_slot_near(uintptr_t at)
{
	struct pool *pool = pool_get();
	struct slot *left, *right;
	size_t page;

	if (!pool || at - (uintptr_t)pool->base >= pool->size)
		return NULL;
	page = (at - (uintptr_t)pool->base) / pool->page;
	right = &pool->slots[min_size(page / 2, pool->nr - 1)];
	if (page % 2 || page == 0)
		return right;
	left = &pool->slots[page / 2 - 1];
	return slot_distance(left, at) <= slot_distance(right, at) ? left :
								     right;
}

struct slot *guarded_slot(uint32_t i)
{
	struct pool *pool = pool_get();

	return pool && i < pool->nr ? &pool->slots[i] : NULL;
}

/* Looks at copies, a few bytes at a time. */
static const char *slack_peek(const char *from, const char *end)
{
	char bytes[PEEK_SIZE];
	const char *found;
	size_t n;

	for (; from < end; from += n) {
		n = system_peek_behind_filter(
			bytes, from, min_size(PEEK_SIZE, (size_t)(end - from)));
		if (!n)
			return NULL;
		found = slack_look(bytes, bytes + n);
		if (found)
			return from + (found - bytes);
	}
	return NULL;
}

/* A word that is as it was before says that the page was this block's all the
 * while. */
const void *guarded_look(struct slot *slot, struct slot_story *story)
{
	struct pool *pool = pool_get();
	const char *page = slot_page(pool, slot), *found, *start;
	struct slot_word before, after;

	if (!slot_read(slot, &before, story) || before.state != SLOT_LIVE)
		return NULL;
	start = (const char *)(uintptr_t)story->block;
	found = slack_peek(start + story->size, page + pool->page);
	if (!found)
		found = slack_peek(page, start);
	if (!slot_read(slot, &after, story) || after.since != before.since)
		return NULL;
	return found;
}

bool guarded_expose(uintptr_t at)
{
	struct pool *pool = pool_get();
	size_t offset = round_down(at - (uintptr_t)pool->base, pool->page);

	return !system_unguard(pool->base + offset, pool->page, pool->split);
}
