/* layer 4.7: unwind: the return addresses on a stack, without a lock; contract
 * in unwind.h */
#include "sample/unwind.h"

#include "sample/cfi.h"
#include "sample/rules.h"

/* Follows the frame pointer: the caller's lies there, then the return
 * address. */
static bool pointer_step(struct frame *frame, struct memory *memory)
{
	uint64_t at = frame->r[FRAME_FP], next, pc;

	if (!frame_knows(frame, FRAME_FP) || at % 8 ||
	    at < frame->r[FRAME_SP] || !memory_read(memory, at, &next) ||
	    !memory_read(memory, at + 8, &pc))
		return false;
	frame->known = 0;
	frame_set(frame, FRAME_FP, next);
	frame_set(frame, FRAME_SP, at + 16);
	frame->pc = frame_code(pc);
	frame->exact = false;
	return true;
}

/* What a signal interrupted may have no frame of its own yet. */
static bool step(struct frame *frame, struct memory *memory,
		 struct fde_place *place)
{
	uint64_t sp = frame->r[FRAME_SP] - frame->exact;
	enum cfi_result result = cfi_step(frame, memory, place);

	if (result == CFI_UNKNOWN)
		return frame_signal(frame, memory) ||
		       pointer_step(frame, memory);
	return result == CFI_STEPPED &&
	       (frame->r[FRAME_SP] > sp || frame->exact);
}

unsigned unwind(struct frame *frame, uint64_t *pcs, unsigned most)
{
	struct fde_place place = { 0 };
	struct memory memory;
	unsigned n = 0;

	memory_open(&memory, frame->r[FRAME_SP]);
	while (n < most && frame->pc) {
		pcs[n++] = frame->pc + frame->exact;
		if (!step(frame, &memory, &place))
			break;
	}
	return n;
}

/* What a walk over lasting code alone needs of a frame. */
struct light {
	uint64_t pc; /* inside of an instruction */
	uint64_t sp, fp;
	uint64_t at;	/* where the return address lay that led here */
	uint64_t fp_at; /* where fp lay; 0: in the register from the start */
};

/* Loads a word of the stack that lies there for sure. */
static force_inline bool light_load(const struct memory *memory, uint64_t at,
				    uint64_t *word)
{
	if (unlikely(at - memory->low >= memory->high - memory->low - 7))
		return false;
	__builtin_memcpy(word, (const void *)at, sizeof(*word));
	return true;
}

/* A frame's end hangs on the frame pointer. */
static void note_pointer(struct memo_notes *notes, const struct light *at)
{
	if (!at->fp_at) {
		notes->fp_used = true;
		return;
	}
	if (notes->nr_fp == MEMO_POINTERS) {
		notes->whole = false;
		return;
	}
	notes->fp_at[notes->nr_fp] = (uint32_t)(at->fp_at - notes->sp);
	notes->fps[notes->nr_fp++] = at->fp;
}

static force_inline void note_return(struct memo_notes *notes, uint64_t at)
{
	if (likely(notes->nr < MEMO_FRAMES) && likely(at >= notes->sp))
		notes->at[notes->nr++] = (uint32_t)(at - notes->sp);
	else
		notes->whole = false;
}

/* Goes to the caller by a rule that has only these registers; false: it cannot
 * be done so, and the frame is of no use any more. */
static force_inline bool light_step(struct light *at, uint64_t rule,
				    const struct memory *memory,
				    struct memo_notes *notes)
{
	uint64_t cfa = 8 * (rule & RULES_DISTANCE_MOST), word;
	unsigned ra = rules_place(rule, RULES_PLACE_RA);
	unsigned fp = rules_place(rule, RULES_PLACE_FP);

	if (rule & RULES_FRAME_POINTER)
		note_pointer(notes, at);
	cfa += rule & RULES_FRAME_POINTER ? at->fp : at->sp;
	if (unlikely(cfa <= at->sp || !ra) ||
	    !light_load(memory, cfa - 8 * ra, &word))
		return false;
	if (fp && !light_load(memory, cfa - 8 * fp, &at->fp))
		return false;
	at->fp_at = fp ? cfa - 8 * fp : at->fp_at;
	at->at = cfa - 8 * ra;
	at->sp = cfa;
	at->pc = frame_code(word) - 1;
	return true;
}

/* Walks over code whose rules are known for ever, with loads from the thread's
 * own stack alone. False: that does not do; then nothing was found. */
static bool light_walk(const struct frame *frame, const struct memory *memory,
		       uint64_t *pcs, unsigned most, unsigned *nr,
		       struct memo_notes *notes)
{
	struct light at = { .pc = frame->pc,
			    .sp = frame->r[FRAME_SP],
			    .fp = frame->r[FRAME_FP] };
	uint64_t rule = RULES_NONE;
	unsigned n;

	if (unlikely(memory->high - memory->low < sizeof(rule)))
		return false;
	for (n = 0; n < most; n++) {
		rule = rules_find_lasting(at.pc);
		if (rule >= RULES_END)
			break;
		if (unlikely(!light_step(&at, rule, memory, notes)))
			return false;
		note_return(notes, at.at);
		pcs[n] = at.pc + 1;
		if (unlikely(!pcs[n]))
			break;
	}
	*nr = n;
	return rule != RULES_NONE;
}

unsigned unwind_callers(struct frame *frame, struct memory *memory,
			uint64_t *pcs, unsigned most, struct memo_notes *notes)
{
	struct fde_place place = { 0 };
	unsigned n = 0;

	notes->sp = frame->r[FRAME_SP];
	notes->fp = frame->r[FRAME_FP];
	notes->nr = notes->nr_fp = 0;
	notes->fp_used = false;
	notes->whole = true;
	if (likely(light_walk(frame, memory, pcs, most, &n, notes)))
		return n;
	notes->whole = false;
	for (n = 0; n < most && step(frame, memory, &place) && frame->pc; n++)
		pcs[n] = frame->pc + frame->exact;
	return n;
}

/* Its own frame is the first one. */
__attribute__((noinline)) unsigned unwind_here(uint64_t *pcs, unsigned most)
{
	struct memo_notes notes;
	struct memory memory;
	struct frame frame;

	frame_here(&frame);
	memory_open(&memory, frame.r[FRAME_SP]);
	return unwind_callers(&frame, &memory, pcs, most, &notes);
}
