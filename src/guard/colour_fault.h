/* layer 4.13: colour_fault: accesses by a pointer of another colour
 *
 * A fault of memory that has colours (system/colours.h), as a line and the
 * stack of the access:
 *
 *	use after free: read of 0x..., 8 bytes into an object of 112 bytes
 *	overflow: write to 0x..., 0 bytes right of a block of up to 112 bytes
 *	underflow: read of 0x..., 8 bytes left of a block of up to 112 bytes
 *	wrong colour: write to 0x..., by a pointer of colour 5
 *
 * The colour of a pointer has the parity of its object's number in the slab:
 * one of the other parity that a neighbour has now ran out of that one; one of
 * the same parity is of this object, as it was or beyond what was asked for.
 * With mte=async the kernel does not tell the address, nor the instruction.
 *
 * Reads the page map and colours as whoever holds nothing there: blocks that
 * change hands meanwhile are told as they are by then. Runs in the handler of
 * the fault, writes nothing but the report; waits for nobody. A thread that
 * dies here leaves its report unfinished.
 */
#ifndef LANE_COLOUR_FAULT_H
#define LANE_COLOUR_FAULT_H

#include <signal.h>
#include <ucontext.h>

#include "base/compiler.h"

/* Asks the kernel for the colour in a fault's address: of sa_flags. */
int colour_fault_flags(void);

/* Whether the fault is one; late: of an instruction that was made. */
bool colour_fault_is(const siginfo_t *info);
bool colour_fault_is_late(const siginfo_t *info);

/* Tells of it. */
void colour_fault_tell(const siginfo_t *info, const ucontext_t *context);

#endif
