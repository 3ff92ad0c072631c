/* layer 4.13: verdict: what is said of misuse; contract in verdict.h */
#define _GNU_SOURCE /* REG_RIP and its like */
#include "guard/verdict.h"

#include "guard/pool.h"
#include "guard/tale.h"
#include "guard/who.h"
#include "sample/sampler.h"
#include "sample/stack.h"
#include "sample/unwind.h"
#include "system/config.h"
#include "system/fault.h"
#include "system/files.h"
#include "system/report.h"
#include "system/system.h"
#if defined(__x86_64__)
#include "guard/context_x86_64.h"
#elif defined(__aarch64__)
#include "guard/context_aarch64.h"
#endif

#define PLACE_SIZE 80
#define STORY_TRIES 100

/* What there is to tell. */
struct matter {
	struct slot *slot;
	struct slot_story story;
	enum slot_state state;
};

/* Whose slot changes all the time is told as it was last seen. */
static void matter_read(struct matter *m, struct slot *slot)
{
	struct slot_word w;
	unsigned i;

	m->slot = slot;
	for (i = 0; i < STORY_TRIES; i++)
		if (slot_read(slot, &w, &m->story))
			break;
	m->state = w.state;
}

/* Whether nobody told of this slot before. */
static bool matter_claim(struct matter *m)
{
	uint64_t word = or_relaxed(&m->slot->word, SLOT_TOLD); // hint

	return !config.guard_recover || !slot_word_unpack(word).told;
}

/* "8 bytes into a block of 100 bytes" */
static void place_format(char buf[PLACE_SIZE], const struct slot_story *story,
			 uint64_t at)
{
	uint64_t n = at - story->block;
	const char *where = "into";

	if (at < story->block) {
		n = story->block - at;
		where = "left of";
	} else if (n >= story->size) {
		n -= story->size;
		where = "right of";
	}
	report_format(buf, PLACE_SIZE, "%lu bytes %s a block of %lu bytes", n,
		      where, story->size);
}

static void tell_act(struct tale *tale, const char *what,
		     const struct slot_act *act)
{
	tale_line(tale, "  %s by thread %d, %lu ms before:", what, act->tid,
		  system_now_ms() - act->ms);
	tale_stack(tale, act->stack);
}

static void tell_now(struct tale *tale, const char *what)
{
	uint64_t ms = system_wall_ns() / 1000000;

	tale_line(tale,
		  "  %s by thread %d of process %d, at %lu ms since 1970:",
		  what, who_tid(), system_getpid(), ms);
}

/* Tells of the block that is there, or was. */
static void tell_story(struct tale *tale, const struct matter *m)
{
	if (!m->story.block)
		return;
	tell_act(tale, "allocated", &m->story.made);
	if (m->story.freed.ms)
		tell_act(tale, "freed", &m->story.freed);
}

/* A fault */

static const char *access_kind(const struct matter *m, uintptr_t at)
{
	bool inside = at - m->story.block < m->story.size;

	if (m->state == SLOT_LIVE)
		return at < m->story.block ? "underflow" : "overflow";
	if (inside)
		return "use after free";
	return at < m->story.block ? "use after free and underflow" :
				     "use after free and overflow";
}

static void tell_access(const struct matter *m, uintptr_t at,
			const ucontext_t *context)
{
	uint64_t pcs[UNWIND_MOST];
	char place[PLACE_SIZE];
	struct frame frame;
	struct tale tale;

	place_format(place, &m->story, at);
	tale_begin(&tale, "%s: %s %p, %s", access_kind(m, at),
		   context_access(context), (void *)at, place);
	context_frame(context, &frame);
	tell_now(&tale, "accessed");
	tale_calls(&tale, pcs, unwind(&frame, pcs, UNWIND_MOST));
	tell_story(&tale, m);
	tale_end(&tale);
}

static void tell_wild(uintptr_t at, const ucontext_t *context)
{
	struct tale tale;

	tale_begin(&tale, "wild access: %s %p, near no block",
		   context_access(context), (void *)at);
	tale_end(&tale);
}

enum verdict verdict_access(uintptr_t at, const ucontext_t *context)
{
	struct slot *slot = guarded_slot_near(at);
	struct matter m;

	if (!slot)
		return VERDICT_NONE;
	matter_read(&m, slot);
	if (matter_claim(&m)) {
		if (m.story.block)
			tell_access(&m, at, context);
		else
			tell_wild(at, context);
	}
	return config.guard_recover && guarded_expose(at) ? VERDICT_GOES_ON :
							    VERDICT_ENDS;
}

/* A call */

static void tell_call(struct tale *tale, const struct matter *m)
{
	tell_now(tale, "called");
	tale_stack(tale, sample_stack_keep());
	tell_story(tale, m);
	tale_end(tale);
	if (!config.guard_recover)
		system_abort();
}

void verdict_pointer(const void *pointer, const char *verb)
{
	struct slot *slot = guarded_slot_near((uintptr_t)pointer);
	char place[PLACE_SIZE];
	struct tale tale;
	struct matter m;

	if (!slot)
		fault("%s of %p: not a block", verb, pointer);
	matter_read(&m, slot);
	if (!matter_claim(&m))
		return;
	place_format(place, &m.story, (uintptr_t)pointer);
	if (!m.story.block)
		tale_begin(&tale, "invalid free: %s of %p, not a block", verb,
			   pointer);
	else if (m.story.block == (uintptr_t)pointer)
		tale_begin(&tale, "double free: %s of %p, a block of %lu bytes",
			   verb, pointer, m.story.size);
	else
		tale_begin(&tale, "invalid free: %s of %p, %s", verb, pointer,
			   place);
	tell_call(&tale, &m);
}

void verdict_damage(const void *block, const void *damage, const char *verb)
{
	uintptr_t at = (uintptr_t)damage;
	struct tale tale;
	struct matter m;

	matter_read(&m, guarded_slot_near((uintptr_t)block));
	if (!matter_claim(&m))
		return;
	if (at < m.story.block)
		tale_begin(&tale,
			   "underflow: %s of %p, written %lu bytes left of "
			   "its %lu bytes",
			   verb, block, m.story.block - at, m.story.size);
	else
		tale_begin(&tale,
			   "overflow: %s of %p, written %lu bytes right of "
			   "its %lu bytes",
			   verb, block, at - m.story.block - m.story.size,
			   m.story.size);
	tell_call(&tale, &m);
}

unsigned verdict_sweep(const char *verb)
{
	struct slot_story story;
	const void *damage;
	struct slot *slot;
	unsigned nr = 0;
	uint32_t i;

	for (i = 0; (slot = guarded_slot(i)); i++) {
		damage = guarded_look(slot, &story);
		if (!damage)
			continue;
		nr++;
		verdict_damage((const void *)(uintptr_t)story.block, damage,
			       verb);
	}
	return nr;
}
