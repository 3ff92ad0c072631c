/* layer 4.5: frame for x86-64: registers by their DWARF numbers
 *
 * Each architecture's file defines exactly
 *
 *	FRAME_NR_REGS	numbers below it are followed, others ignored
 *	FRAME_SP, FRAME_FP, FRAME_RA	the numbers of these
 *	FRAME_KEPT	a bit for each that a function gives back unchanged
 *	FRAME_PACKED	numbers of at most 7 that most functions save, the
 *			return address's first (rules.h)
 *	frame_code(word)	the address in a return address
 *	frame_here(frame)	the caller's registers, as far as FRAME_KEPT
 *	frame_signal(frame, memory)	leaves the kernel's frame below a signal
 *			handler, where no table describes it; false: it is none
 */
#ifndef LANE_FRAME_ARCH_H
#define LANE_FRAME_ARCH_H

#define FRAME_NR_REGS 17
#define FRAME_SP 7
#define FRAME_FP 6
#define FRAME_RA 16
#define FRAME_KEPT (1u << 3 | 1u << 6 | 1u << 7 | 0xfu << 12)
/* clang-format off */
#define FRAME_PACKED { FRAME_RA, 6, 3, 12, 13, 14, 15 }
/* clang-format on */

static force_inline uint64_t frame_code(uint64_t word)
{
	return word;
}

static force_inline void frame_here(struct frame *frame)
{
	__asm__ volatile("movq %%rbx, 3*8(%[r])\n\t"
			 "movq %%rbp, 6*8(%[r])\n\t"
			 "movq %%rsp, 7*8(%[r])\n\t"
			 "movq %%r12, 12*8(%[r])\n\t"
			 "movq %%r13, 13*8(%[r])\n\t"
			 "movq %%r14, 14*8(%[r])\n\t"
			 "movq %%r15, 15*8(%[r])\n\t"
			 "leaq 0(%%rip), %%rax\n\t"
			 "movq %%rax, %[pc]"
			 : [pc] "=m"(frame->pc)
			 : [r] "r"(frame->r)
			 : "rax", "memory");
	frame->known = FRAME_KEPT;
	frame->exact = true;
}

/* libc's own has a table. */
static inline bool frame_signal(struct frame *frame, struct memory *memory)
{
	(void)frame;
	(void)memory;
	return false;
}

#endif
