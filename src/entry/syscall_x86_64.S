/* layer 6.7: syscall, x86-64: libc's, but for the calls that change rights
 *
 *	syscall(nr, ...):
 *		if nr is one of the numbers: rights_syscall(nr, ...)
 *		if libc's is not known yet: rights_syscall_early(nr, ...)
 *		libc's syscall(nr, ...)
 *
 * Each by a jump: all arguments, in registers and on the stack, and the
 * caller's return address are as they were, so that what depends on them goes
 * on to work. Only r11, rax and the flags are written, which a call may.
 *
 * Numbers, from <asm/unistd_64.h>; those from NEAR on are bits of one word:
 *
 *	105 setuid 106 setgid 113 setreuid 114 setregid 116 setgroups
 *	117 setresuid 119 setresgid 126 capset 155 pivot_root 157 prctl
 *	161 chroot; apart: 272 unshare 308 setns 317 seccomp
 *	436 close_range 446 landlock_restrict_self
 */
#define NEAR 105
#define BIT(nr) (1 << ((nr) - NEAR))
#define UNSHARE 272
#define SETNS 308
#define SECCOMP 317
#define CLOSE_RANGE 436
#define LANDLOCK 446

/* of union sealed (system/sealed.h), checked in rights.c */
#define SEALED_SYSCALL 184

	.text
	.hidden	sealed
	.hidden	rights_syscall
	.hidden	rights_syscall_early

	.globl	syscall
	.type	syscall, @function
	.p2align 4
syscall:
	.cfi_startproc
	endbr64
	leaq	-NEAR(%rdi), %r11
	cmpq	$63, %r11
	ja	1f
	movabsq	$BIT(105) + BIT(106) + BIT(113) + BIT(114) + BIT(116) + \
		BIT(117) + BIT(119) + BIT(126) + BIT(155) + BIT(157) + \
		BIT(161), %rax
	btq	%r11, %rax
	jc	3f
2:	movq	sealed + SEALED_SYSCALL(%rip), %r11
	testq	%r11, %r11
	jz	4f
	jmp	*%r11
1:	cmpq	$UNSHARE, %rdi
	jb	2b
	je	3f
	cmpq	$SETNS, %rdi
	je	3f
	cmpq	$SECCOMP, %rdi
	je	3f
	cmpq	$CLOSE_RANGE, %rdi
	je	3f
	cmpq	$LANDLOCK, %rdi
	jne	2b
3:	jmp	rights_syscall
4:	jmp	rights_syscall_early
	.cfi_endproc
	.size	syscall, . - syscall

	.section .note.GNU-stack, "", @progbits
