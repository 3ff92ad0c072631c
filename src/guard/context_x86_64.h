/* layer 4.11: context for x86-64: the registers of who was interrupted
 *
 * Each architecture's file defines exactly
 *
 *	context_frame(context, frame)	the frame of the instruction
 *	context_access(context)		what it did to memory when it faulted:
 *			"read of", "write to", or "access to" where the
 *			kernel does not tell
 */
#ifndef LANE_CONTEXT_ARCH_H
#define LANE_CONTEXT_ARCH_H

#define ERROR_WRITE 2 /* of a page fault's error code */

static void context_frame(const ucontext_t *context, struct frame *frame)
{
	static const uint8_t regs[] = {
		REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
		REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
		REG_R12, REG_R13, REG_R14, REG_R15,
	};
	unsigned i;

	*frame = (struct frame){ .exact = true };
	for (i = 0; i < sizeof(regs); i++)
		frame_set(frame, i,
			  (uint64_t)context->uc_mcontext.gregs[regs[i]]);
	frame->pc = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
}

static const char *context_access(const ucontext_t *context)
{
	return context->uc_mcontext.gregs[REG_ERR] & ERROR_WRITE ? "write to" :
								   "read of";
}

#endif
