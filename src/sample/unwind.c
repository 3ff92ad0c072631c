/* layer 4.7: unwind: the return addresses on a stack, without a lock; contract
 * in unwind.h */
#include "sample/unwind.h"

#include "sample/cfi.h"

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

/* Its own frame is the first one. */
__attribute__((noinline)) unsigned unwind_here(uint64_t *pcs, unsigned most)
{
	struct fde_place place = { 0 };
	struct memory memory;
	struct frame frame;
	unsigned n = 0;

	frame_here(&frame);
	memory_open(&memory, frame.r[FRAME_SP]);
	while (n < most && step(&frame, &memory, &place) && frame.pc)
		pcs[n++] = frame.pc + frame.exact;
	return n;
}
