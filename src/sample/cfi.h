/* layer 4.6: CFI: from a function's frame to its caller's, by .eh_frame
 *
 * libc's _dl_find_object() (glibc 2.35; sealed.h) names the object of an
 * address and its PT_GNU_EH_FRAME, without a lock and in handlers; the sorted
 * table there leads to the function's description (FDE), a little program of
 * call frame instructions that says where the registers were saved. It is run
 * as far as the address, with those expressions that compilers, assemblers and
 * linkers emit, and what it says is kept for the next time (rules.h). What is
 * not known here makes no frame.
 *
 * The tables lie in an object that has a function on the stack, which nobody
 * unloads. An address that is no object's, as one of an object that was
 * unloaded, has no table. Wait-free: bounded by the table's depth and by
 * CFI_STEPS_MOST. Nothing is written but the caller's memory.
 */
#ifndef LANE_CFI_H
#define LANE_CFI_H

#include "sample/fde.h"
#include "sample/frame.h"
#include "sample/memory.h"

#define CFI_STEPS_MOST 1024 /* instructions of one function */

enum cfi_result {
	CFI_STEPPED, /* the frame is the caller's */
	CFI_END,     /* it has no caller; the frame is as it was */
	CFI_UNKNOWN, /* nobody describes the address; the frame stays */
	CFI_BAD,     /* its description leads nowhere; the frame stays */
};

/* Goes from a frame to its caller's; place: zeros at the beginning of a walk,
 * then as the last step left it. */
enum cfi_result cfi_step(struct frame *frame, struct memory *memory,
			 struct fde_place *place);

#endif
