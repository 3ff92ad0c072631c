/* layer 4.5: frame: the registers of one function on a stack
 *
 * In the hands of one thread, on its own stack.
 */
#ifndef LANE_FRAME_H
#define LANE_FRAME_H

#include "sample/memory.h"

#define FRAME_REGS_MOST 32

struct frame {
	uint64_t r[FRAME_REGS_MOST]; /* by DWARF numbers */
	uint64_t pc;
	uint32_t known; /* a bit for each register whose value is known */
	bool exact;	/* pc is the next instruction, no return address */
};

static force_inline bool frame_knows(const struct frame *frame, unsigned reg)
{
	return reg < FRAME_REGS_MOST && (frame->known >> reg & 1);
}

static force_inline void frame_set(struct frame *frame, unsigned reg,
				   uint64_t value)
{
	frame->r[reg] = value;
	frame->known |= 1u << reg;
}

#if defined(__x86_64__)
#include "sample/frame_x86_64.h"
#elif defined(__aarch64__)
#include "sample/frame_aarch64.h"
#endif

/* Returns an address inside the instruction that the frame is at. */
static force_inline uint64_t frame_lookup(const struct frame *frame)
{
	return frame->exact ? frame->pc : frame->pc - 1;
}

#endif
