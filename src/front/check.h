/* layer 5.10: check: a look at all blocks, the program's and those it freed
 *
 * With checks=full each object of each slab is looked at: of a live one its
 * footer and slack, of a freed one its fill (footer.h). Guarded blocks have the
 * bytes beside them (guard/misuse.h). The first damage is a fault().
 *
 * Other threads go on meanwhile. What they have in their hands says so, and
 * what looks damaged is looked at again with its bit in the slab and the slab's
 * life before and after: only what was the same block all the while is named.
 * An entry of the page map may be half written, then there is nothing to see.
 * Memory may become inaccessible at any time, as a part of a large block that
 * waits or of a guard: so it is read through the kernel (system/peek.h), small
 * objects by the page, and once more each where that copy looks damaged. Where
 * that is not allowed large blocks are left out, and an object's memory that
 * becomes a guard at this moment is a fault.
 * A slab begins with zeros (slab_prepare()), so that nothing of an older life
 * of its memory reads as a footer. Of large blocks the slack alone is looked
 * at, as their footers lie in memory that was others'.
 *
 * With hardened=1 what waits in the quarantine is looked at on its way out of
 * it, so that it is empty then.
 *
 * It reads only, else, bounded by the heap; a thread that dies leaves nothing.
 */
#ifndef LANE_CHECK_H
#define LANE_CHECK_H

/* Ends the program at the first damage; `verb` begins the message. */
void heap_check(const char *verb);

#endif
