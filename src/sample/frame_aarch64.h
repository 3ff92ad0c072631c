/* layer 4.5: frame for aarch64: registers by their DWARF numbers
 *
 * What it defines: see frame_x86_64.h. x19 to x30 and sp. A return address may
 * carry a signature above its 48 bits.
 */
#ifndef LANE_FRAME_ARCH_H
#define LANE_FRAME_ARCH_H

#define FRAME_NR_REGS 32
#define FRAME_SP 31
#define FRAME_FP 29
#define FRAME_RA 30
#define FRAME_KEPT (0xfffu << 19 | 1u << 31)
/* clang-format off */
#define FRAME_PACKED { FRAME_RA, 29, 19, 20, 21, 22, 23 }
/* clang-format on */

static force_inline uint64_t frame_code(uint64_t word)
{
	return word & (((uint64_t)1 << 48) - 1);
}

static force_inline void frame_here(struct frame *frame)
{
	__asm__ volatile("stp x19, x20, [%[r], 19*8]\n\t"
			 "stp x21, x22, [%[r], 21*8]\n\t"
			 "stp x23, x24, [%[r], 23*8]\n\t"
			 "stp x25, x26, [%[r], 25*8]\n\t"
			 "stp x27, x28, [%[r], 27*8]\n\t"
			 "stp x29, x30, [%[r], 29*8]\n\t"
			 "mov x9, sp\n\t"
			 "str x9, [%[r], 31*8]\n\t"
			 "adr x9, .\n\t"
			 "str x9, %[pc]"
			 : [pc] "=m"(frame->pc)
			 : [r] "r"(frame->r)
			 : "x9", "memory");
	frame->known = FRAME_KEPT;
	frame->exact = true;
}

/* mov x8, #139; svc #0: rt_sigreturn, and where its frame has the registers. */
#define FRAME_SIGRETURN UINT64_C(0xd4000001d2801168)
#define FRAME_SIGNAL_REGS 312 /* x0 to x30, sp; then pc */

static inline bool frame_signal(struct frame *frame, struct memory *memory)
{
	uint64_t word, at = frame->r[FRAME_SP] + FRAME_SIGNAL_REGS, pc;
	unsigned i;

	if (!memory_read(memory, frame->pc, &word) || word != FRAME_SIGRETURN ||
	    !memory_read(memory, at + 8 * FRAME_NR_REGS, &pc))
		return false;
	frame->known = 0;
	for (i = 0; i < FRAME_NR_REGS; i++)
		if (memory_read(memory, at + 8 * i, &word))
			frame_set(frame, i, word);
	frame->pc = pc;
	frame->exact = true;
	return frame_knows(frame, FRAME_SP);
}

#endif
