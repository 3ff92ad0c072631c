/* layer 6.7: syscall, aarch64: libc's, but for the calls that change rights
 *
 * The pseudo-code and the contract are at the head of syscall_x86_64.S. x16,
 * x17 and the flags are written, which a call may.
 *
 * Numbers, from <asm-generic/unistd.h>; those from NEAR on are bits of one
 * word:
 *
 *	143 setregid 144 setgid 145 setreuid 146 setuid 147 setresuid
 *	149 setresgid 159 setgroups 167 prctl; apart: 41 pivot_root 51 chroot
 *	91 capset 97 unshare 268 setns 277 seccomp 436 close_range
 *	446 landlock_restrict_self
 */
#define NEAR 143
#define BITS_0 0x005f /* 143 144 145 146 147 149 */
#define BITS_1 0x0101 /* 159 167 */

/* of union sealed (system/sealed.h), checked in rights.c */
#define SEALED_SYSCALL 184

	.text
	.hidden	sealed
	.hidden	rights_syscall
	.hidden	rights_syscall_early

	.globl	syscall
	.type	syscall, %function
	.p2align 4
syscall:
	.cfi_startproc
	hint	#34			/* bti c */
	sub	x16, x0, #NEAR
	cmp	x16, #31
	b.hi	1f
	mov	w17, #BITS_0
	movk	w17, #BITS_1, lsl #16
	lsr	w17, w17, w16
	tbnz	w17, #0, 3f
2:	adrp	x16, sealed + SEALED_SYSCALL
	ldr	x16, [x16, #:lo12:sealed + SEALED_SYSCALL]
	cbz	x16, 4f
	br	x16
1:	cmp	x0, #41
	b.eq	3f
	cmp	x0, #51
	b.eq	3f
	cmp	x0, #91
	b.eq	3f
	cmp	x0, #97
	b.eq	3f
	cmp	x0, #268
	b.eq	3f
	cmp	x0, #277
	b.eq	3f
	cmp	x0, #436
	b.eq	3f
	cmp	x0, #446
	b.ne	2b
3:	b	rights_syscall
4:	b	rights_syscall_early
	.cfi_endproc
	.size	syscall, . - syscall

	.section .note.GNU-stack, "", %progbits
