/* point: what happens at a numbered point inside an rseq section
 *
 * A section must not make system calls and must not be left for a function:
 * outside of it the kernel would not abort it. So all is done in place, in
 * three registers more, which the section's clobbers name:
 *
 *	slot = perturb_slots[hash of the thread pointer]
 *	point->hits++
 *	if (--slot->section_steps >= 0 or the mask is 0) go on
 *	random = next(slot->section_state)
 *	slot->section_steps = random >> 8 & perturb_section_mask
 *	by the top bits of random:
 *	abort	jump to the abort handler, as the kernel would have it
 *	trap	int3: a signal in the section, whose handler does the rest
 *		(allocates, yields, sleeps, moves to another CPU); only in
 *		threads that registered for it
 *	delay	a loop: some hundred instructions, now and then many
 *
 * The counts are plain and shared: a few hits are lost. Each inlined copy of
 * a section has its own points; the report adds up those of one line.
 */
#ifndef PERTURB_POINT_H
#define PERTURB_POINT_H

#include <stdint.h>

struct perturb_point {
	uint64_t hits;
	uint64_t injected[3]; /* abort, trap, delay */
	uint32_t number;
	uint32_t line; /* of percpu_x86_64.h */
};

/* Indexed by the thread pointer, so that threads without libc's TLS have
 * one, too; two threads that share one only share their random numbers. */
struct perturb_slot {
	uint64_t owner; /* the thread pointer that may be trapped; 0: none */
	int32_t section_steps;
	uint32_t section_state;
	int32_t steps;
	uint32_t unused;
	uint64_t state;
} __attribute__((aligned(64)));

#define PERTURB_SLOTS 4096

extern struct perturb_slot perturb_slots[PERTURB_SLOTS]
	__attribute__((visibility("hidden")));
extern uint32_t perturb_section_mask __attribute__((visibility("hidden")));

#define PERTURB_TEXT_(x) #x
#define PERTURB_TEXT(x) PERTURB_TEXT_(x)

/* 7: the point's data. 0x61c88647 is the golden ratio. */
#define PERCPU_POINT(n)                                                   \
	".pushsection perturb_points, \"aw\"\n\t"                         \
	".balign 8\n"                                                     \
	"7:\t.quad 0, 0, 0, 0\n\t"                                        \
	".long " #n ", " PERTURB_TEXT(__LINE__) "\n\t"                    \
	".popsection\n\t"                                                 \
	"movq %%fs:0, %%r11\n\t"                                          \
	"imulq $0x61c88647, %%r11, %%r11\n\t"                             \
	"shrq $32, %%r11\n\t"                                             \
	"andl $4095, %%r11d\n\t"                                          \
	"shll $6, %%r11d\n\t"                                             \
	"leaq perturb_slots(%%rip), %%r10\n\t"                            \
	"addq %%r10, %%r11\n\t"                                           \
	"incq 7b(%%rip)\n\t"                                              \
	"decl 8(%%r11)\n\t"                                               \
	"jns 9f\n\t"                                                      \
	"cmpl $0, perturb_section_mask(%%rip)\n\t" /* switched off? */    \
	"je 9f\n\t"                                                       \
	"imull $1664525, 12(%%r11), %%r10d\n\t"                           \
	"addl $1013904223, %%r10d\n\t"                                    \
	"movl %%r10d, 12(%%r11)\n\t"                                      \
	"movl %%r10d, %%r9d\n\t"                                          \
	"shrl $8, %%r9d\n\t"                                              \
	"andl perturb_section_mask(%%rip), %%r9d\n\t"                     \
	"movl %%r9d, 8(%%r11)\n\t"                                        \
	"shrl $27, %%r10d\n\t"                                            \
	"cmpl $6, %%r10d\n\t"                                             \
	"jae 6f\n\t"                                                      \
	"incq 7b+8(%%rip)\n\t" /* abort */                                \
	"jmp 4b\n"                                                        \
	"6:\tcmpl $12, %%r10d\n\t"                                        \
	"jae 6f\n\t"                                                      \
	"movq %%fs:0, %%r9\n\t"                                           \
	"cmpq %%r9, (%%r11)\n\t" /* registered? */                        \
	"jne 6f\n\t"                                                      \
	"incq 7b+16(%%rip)\n\t" /* trap */                                \
	"int3\n"                                                          \
	"6:\tincq 7b+24(%%rip)\n\t" /* delay */                           \
	"cmpl $31, %%r10d\n\t"                                            \
	"movl 12(%%r11), %%r10d\n\t"                                      \
	"movl $0x3ff, %%r9d\n\t"                                          \
	"jne 6f\n\t"                                                      \
	"movl $0x3ffff, %%r9d\n"                                          \
	"6:\tandl %%r9d, %%r10d\n\t"                                      \
	"incl %%r10d\n"                                                   \
	"8:\tdecl %%r10d\n\t"                                             \
	"jnz 8b\n"                                                        \
	"9:\n\t"
#define PERCPU_CLOBBERS "memory", "cc", "r9", "r10", "r11"

#define PERTURB_MOVE_ID(t) "addl perturb_id_shift(%%rip), %k[" #t "]\n\t"

#endif
