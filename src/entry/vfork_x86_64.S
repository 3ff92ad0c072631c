/* layer 6.7: vfork, x86-64: with the fast paths' gate closed for the child
 *
 * A vfork child runs on its parent's memory, stack and thread pointer, but
 * the kernel has cleared its rseq registration: it would see the parent's
 * stale CPU number and nobody would abort its sections. So the gate is closed
 * before the child exists and opened when the parent comes back, which is
 * when the child has exec'ed or ended. Meanwhile every thread of the process
 * takes the direct path. The count of closings lives in the shared memory, so
 * vforks of several threads and of a vfork child nest; a vfork child that is
 * killed while a child of its own runs leaves the gate closed, which costs
 * speed and nothing else.
 *
 *	vfork():
 *		heap_vfork_begin()
 *		return address: off the stack, into rdi
 *		rax = SYS_vfork()
 *		child: return 0, by rdi
 *		parent: return address: out of rdi, back to the stack
 *		heap_vfork_end(); errno if it failed; return
 *
 * Both return, the child first. From its return on the child overwrites the
 * stack below the caller's frame, where the return address was, so the parent
 * may rely on registers alone: the kernel gives each its own copy of all but
 * rax, rcx and r11. Nothing that must last crosses the call of
 * heap_vfork_begin(), which precedes the system call; callee-saved registers
 * are not touched, and so are the caller's own at both returns. After the
 * system call the child is gone, and the parent may use the stack again.
 *
 * No shadow-stack note: the child's return and the parent's would need two
 * entries for one call, so the library does not claim to support it.
 */
#define SYS_vfork 58
#define ERRNO_MOST 4095

	.text
	.hidden	heap_vfork_begin
	.hidden	heap_vfork_end

	.globl	vfork
	.type	vfork, @function
	.weak	__vfork
	.type	__vfork, @function
	.p2align 4
vfork:
__vfork:
	.cfi_startproc
	endbr64
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	call	heap_vfork_begin
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%rdi
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rdi
	movl	$SYS_vfork, %eax
	syscall
	testq	%rax, %rax
	jnz	1f
	jmp	*%rdi			/* the child */
1:	pushq	%rdi			/* the parent: the child is gone */
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rip, 0
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	call	heap_vfork_end
	popq	%rax
	.cfi_adjust_cfa_offset -8
	cmpq	$-ERRNO_MOST, %rax
	jae	2f
	ret
2:	negl	%eax
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	call	__errno_location@PLT
	popq	%rdx
	.cfi_adjust_cfa_offset -8
	movl	%edx, (%rax)
	movl	$-1, %eax
	ret
	.cfi_endproc
	.size	vfork, . - vfork
	.size	__vfork, . - __vfork

	.section .note.GNU-stack, "", @progbits
