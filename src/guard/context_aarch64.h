/* layer 4.11: context for aarch64: the registers of who was interrupted
 *
 * What each architecture's file defines is in context_x86_64.h.
 */
#ifndef LANE_CONTEXT_ARCH_H
#define LANE_CONTEXT_ARCH_H

#define SYNDROME_MAGIC 0x45535201 /* of the kernel's record */
#define SYNDROME_WRITE (1u << 6)
#define CONTEXT_REGS 31

static void context_frame(const ucontext_t *context, struct frame *frame)
{
	unsigned i;

	*frame = (struct frame){ .exact = true };
	for (i = 0; i < CONTEXT_REGS; i++)
		frame_set(frame, i, context->uc_mcontext.regs[i]);
	frame_set(frame, FRAME_SP, context->uc_mcontext.sp);
	frame->pc = context->uc_mcontext.pc;
}

/* Records of a magic number and a size each, up to one without. */
static const char *context_access(const ucontext_t *context)
{
	const char *at = (const char *)context->uc_mcontext.__reserved;
	const char *end = at + sizeof(context->uc_mcontext.__reserved) - 16;
	uint32_t head[2], syndrome;

	while (at < end) {
		__builtin_memcpy(head, at, sizeof(head));
		if (head[0] == SYNDROME_MAGIC) {
			__builtin_memcpy(&syndrome, at + sizeof(head),
					 sizeof(syndrome));
			return syndrome & SYNDROME_WRITE ? "write to" :
							   "read of";
		}
		if (!head[0] || head[1] < sizeof(head))
			break;
		at += head[1];
	}
	return "access to";
}

#endif
