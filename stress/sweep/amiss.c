/* amiss: what programs do wrong with a block, and others do to a program
 *
 * A guarded block is looked for among small ones. Nothing is done to it after
 * its free but a look: its slot may be another thread's by then. What is told
 * of goes on (guard_recover=1).
 *
 * Programs outside write the library's words: here the worker does, and passes
 * by a slow path, which sees them.
 */
#include "load.h"
#include "names.h"

#include <lanemalloc_view.h>

#define AMISS_SIZE 40
#define AMISS_TRIES 400
#define PAGE 4096

_Atomic(bool) amiss_is_caught;

/* A slot with a guarded block; NULL: none came by. */
static struct block *guarded_slot(struct worker *w)
{
	struct block *slot = slot_empty(w);
	char judged[256];
	unsigned i;

	for (i = 0; i < AMISS_TRIES; i++) {
		slot_alloc(w, slot, AMISS_SIZE);
		if (!slot->at)
			return NULL;
		if (names.guarded_find(slot->at, judged))
			return slot;
		slot_free(w, slot);
	}
	return NULL;
}

static void look_at(volatile unsigned char *at)
{
	(void)*at;
}

static void do_guarded(struct worker *w)
{
	struct block *slot = guarded_slot(w);
	unsigned char *at;

	if (!slot)
		return;
	at = slot->at;
	switch (load_below(w, 6)) {
	case 0:
		free(at + 16);
		break;
	case 1:
		((volatile unsigned char *)at)[AMISS_SIZE] = 1;
		names.check();
		break;
	case 2:
		((volatile unsigned char *)at)[-1] = 1;
		break;
	case 3:
		look_at(at - PAGE);
		break;
	case 4:
		look_at(at + PAGE);
		break;
	default:
		slot_free(w, slot);
		look_at(at);
	}
	slot_free(w, slot);
}

static void ask_one(struct worker *w)
{
	uint32_t seconds = (uint32_t)load_below(w, 2); /* 0: no end */

	switch (load_below(w, 4)) {
	case 0:
		seconds <<= LANEMALLOC_SWITCH_SECONDS_SHIFT;
		atomic_store(names.outside_switch,
			     LANEMALLOC_SWITCH_PROFILE_ON | seconds);
		break;
	case 1:
		atomic_store(names.outside_switch,
			     LANEMALLOC_SWITCH_PROFILE_OFF);
		break;
	case 2:
		atomic_store(names.readers, 1);
		break;
	default:
		atomic_store(names.readers, 0);
	}
}

/* Of a large block each call is a slow path. */
static void do_outside(struct worker *w)
{
	void *at, *more;
	unsigned i;

	for (i = 0; i < 4; i++) {
		ask_one(w);
		at = malloc(100 * KIB);
		ask_one(w);
		more = realloc(at, 100 * KIB + 500);
		ask_one(w);
		free(more ? more : at);
		ask_one(w);
		slot_free(w, slot_empty(w));
	}
	atomic_store(names.readers, 0);
}

void amiss_do(struct worker *w)
{
	if (w->amiss && names.guarded_find && atomic_load(&amiss_is_caught))
		do_guarded(w);
	if (w->outside && names.outside_switch)
		do_outside(w);
}
