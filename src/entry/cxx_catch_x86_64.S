/* layer 6.2: C++ catch, x86-64: a frame that stops exceptions
 *
 * The one thing of C++ that C cannot say. cxx_catch.h has the contract.
 *
 *	cxx_catch(attempt, size, align):
 *		return attempt(size, align)
 *		an exception flies by: cxx_caught(exception); return NULL
 *
 * The unwinder finds the function's personality and its table by the two
 * .cfi lines. The table is what a compiler makes of catch (...) (Itanium C++
 * ABI, Exception Handling, 7): one call site with a landing pad, one action,
 * one type, 0, which stands for every exception. The call of cxx_caught() is
 * no call site: an exception out of it ends the program, as out of any
 * function that may not throw.
 *
 * At the landing pad the stack and the callee-saved registers are as they
 * were at the call, and rax is the exception.
 */
#define PCREL_SDATA4 0x1b
#define INDIRECT_PCREL_SDATA4 0x9b
#define ULEB128 0x01
#define OMIT 0xff

	.text
	.hidden	cxx_caught
	.hidden	cxx_personality

	.globl	cxx_catch
	.hidden	cxx_catch
	.type	cxx_catch, @function
	.p2align 4
cxx_catch:
	.cfi_startproc
	.cfi_personality PCREL_SDATA4, cxx_personality
	.cfi_lsda PCREL_SDATA4, .Ltable
	endbr64
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
.Lcall:	call	*%rax
.Lcalled:
	addq	$8, %rsp
	.cfi_remember_state
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_restore_state
.Lpad:	endbr64
	movq	%rax, %rdi
	call	cxx_caught
	xorl	%eax, %eax
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size	cxx_catch, . - cxx_catch

	.section .gcc_except_table, "a", @progbits
	.p2align 2
.Ltable:
	.byte	OMIT			/* pads count from the function */
	.byte	INDIRECT_PCREL_SDATA4	/* the types */
	.uleb128 .Ltypes - .Lsites_head
.Lsites_head:
	.byte	ULEB128			/* the call sites */
	.uleb128 .Lactions - .Lsites
.Lsites:
	.uleb128 .Lcall - cxx_catch
	.uleb128 .Lcalled - .Lcall
	.uleb128 .Lpad - cxx_catch
	.uleb128 1			/* the first action */
.Lactions:
	.sleb128 1			/* the first type below .Ltypes */
	.sleb128 0			/* no further action */
	.p2align 2
	.long	0			/* every exception */
.Ltypes:

	.section .note.GNU-stack, "", @progbits
