/* layer 4.13: misuse: what is said of it; contract in misuse.h */
#define _GNU_SOURCE /* REG_RIP and its like */
#include "guard/misuse.h"

#include "guard/long_report.h"
#include "guard/pool.h"
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

static void tell_act(struct long_report *report, const char *what,
		     const struct slot_act *act)
{
	long_report_line(report, "  %s by thread %d, %lu ms before:", what,
			 act->tid, system_now_ms() - act->ms);
	long_report_stack(report, act->stack);
}

static void tell_now(struct long_report *report, const char *what)
{
	uint64_t ms = system_wall_ns() / 1000000;

	long_report_line(
		report,
		"  %s by thread %d of process %d, at %lu ms since 1970:", what,
		who_tid(), system_getpid(), ms);
}

/* Tells of the block that is there, or was. */
static void tell_story(struct long_report *report, const struct matter *m)
{
	if (!m->story.block)
		return;
	tell_act(report, "allocated", &m->story.made);
	if (m->story.freed.ms)
		tell_act(report, "freed", &m->story.freed);
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
	struct long_report report;

	place_format(place, &m->story, at);
	long_report_begin(&report, "%s: %s %p, %s", access_kind(m, at),
			  context_access(context), (void *)at, place);
	context_frame(context, &frame);
	tell_now(&report, "accessed");
	long_report_calls(&report, pcs, unwind(&frame, pcs, UNWIND_MOST));
	tell_story(&report, m);
	long_report_end(&report);
}

static void tell_wild(uintptr_t at, const ucontext_t *context)
{
	struct long_report report;

	long_report_begin(&report, "wild access: %s %p, near no block",
			  context_access(context), (void *)at);
	long_report_end(&report);
}

enum misuse_end misuse_access(uintptr_t at, const ucontext_t *context)
{
	struct slot *slot = guarded_slot_near(at);
	struct matter m;

	if (!slot)
		return MISUSE_NONE;
	matter_read(&m, slot);
	if (matter_claim(&m)) {
		if (m.story.block)
			tell_access(&m, at, context);
		else
			tell_wild(at, context);
	}
	return config.guard_recover && guarded_expose(at) ? MISUSE_GOES_ON :
							    MISUSE_ENDS;
}

/* A call */

static void tell_call(struct long_report *report, const struct matter *m)
{
	tell_now(report, "called");
	long_report_stack(report, sample_stack_keep());
	tell_story(report, m);
	long_report_end(report);
	if (!config.guard_recover)
		system_abort();
}

void misuse_pointer(const void *pointer, const char *verb)
{
	struct slot *slot = guarded_slot_near((uintptr_t)pointer);
	char place[PLACE_SIZE];
	struct long_report report;
	struct matter m;

	if (!slot)
		fault("%s of %p: not a block", verb, pointer);
	matter_read(&m, slot);
	if (!matter_claim(&m))
		return;
	place_format(place, &m.story, (uintptr_t)pointer);
	if (!m.story.block)
		long_report_begin(&report,
				  "invalid free: %s of %p, not a block", verb,
				  pointer);
	else if (m.story.block == (uintptr_t)pointer)
		long_report_begin(&report,
				  "double free: %s of %p, a block of %lu bytes",
				  verb, pointer, m.story.size);
	else
		long_report_begin(&report, "invalid free: %s of %p, %s", verb,
				  pointer, place);
	tell_call(&report, &m);
}

void misuse_damage(const void *block, const void *damage, const char *verb)
{
	uintptr_t at = (uintptr_t)damage;
	struct long_report report;
	struct matter m;

	matter_read(&m, guarded_slot_near((uintptr_t)block));
	if (!matter_claim(&m))
		return;
	if (at < m.story.block)
		long_report_begin(
			&report,
			"underflow: %s of %p, written %lu bytes left of "
			"its %lu bytes",
			verb, block, m.story.block - at, m.story.size);
	else
		long_report_begin(
			&report,
			"overflow: %s of %p, written %lu bytes right of "
			"its %lu bytes",
			verb, block, at - m.story.block - m.story.size,
			m.story.size);
	tell_call(&report, &m);
}

unsigned misuse_sweep(const char *verb)
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
		misuse_damage((const void *)(uintptr_t)story.block, damage,
			      verb);
	}
	return nr;
}
