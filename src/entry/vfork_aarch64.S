/* layer 6.7: vfork, aarch64: with the fast paths' gate closed for the child
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
 *		return address: back from the stack, into x30
 *		x0 = SYS_clone(CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0)
 *		child: return 0, by x30
 *		parent: heap_vfork_end(); errno if it failed; return
 *
 * Both return, the child first. From its return on the child overwrites the
 * stack below the caller's frame, so the parent may rely on registers alone:
 * the kernel gives each its own copy of all but x0, x30 with the return
 * address among them. Nothing that must last crosses the call of
 * heap_vfork_begin(), which precedes the system call; callee-saved registers
 * are not touched but for x29, which is back before it, and so are the
 * caller's own at both returns. After the system call the child is gone, and
 * the parent may use the stack again.
 */
#define SYS_clone 220
#define CLONE_VM_VFORK_SIGCHLD 0x4111
#define ERRNO_MOST 4095
#define BTI_C hint #34

	.text
	.hidden	heap_vfork_begin
	.hidden	heap_vfork_end

	.globl	vfork
	.type	vfork, %function
	.weak	__vfork
	.type	__vfork, %function
	.p2align 4
vfork:
__vfork:
	.cfi_startproc
	BTI_C
	stp	x29, x30, [sp, #-16]!
	.cfi_adjust_cfa_offset 16
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	bl	heap_vfork_begin
	ldp	x29, x30, [sp], #16
	.cfi_adjust_cfa_offset -16
	.cfi_restore x29
	.cfi_restore x30
	mov	x0, #CLONE_VM_VFORK_SIGCHLD
	mov	x1, xzr			/* the parent's stack */
	mov	x2, xzr
	mov	x3, xzr
	mov	x4, xzr
	mov	x8, #SYS_clone
	svc	#0
	cbnz	x0, 1f
	ret				/* the child */
1:	stp	x29, x30, [sp, #-32]!	/* the parent: the child is gone */
	.cfi_adjust_cfa_offset 32
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	str	x0, [sp, #16]
	bl	heap_vfork_end
	ldr	x0, [sp, #16]
	cmn	x0, #ERRNO_MOST
	b.hs	2f
	ldp	x29, x30, [sp], #32
	.cfi_remember_state
	.cfi_adjust_cfa_offset -32
	.cfi_restore x29
	.cfi_restore x30
	ret
2:	.cfi_restore_state
	bl	__errno_location
	ldr	x1, [sp, #16]
	neg	w1, w1
	str	w1, [x0]
	mov	x0, #-1
	ldp	x29, x30, [sp], #32
	.cfi_adjust_cfa_offset -32
	.cfi_restore x29
	.cfi_restore x30
	ret
	.cfi_endproc
	.size	vfork, . - vfork
	.size	__vfork, . - __vfork

	.section .note.GNU-stack, "", %progbits
