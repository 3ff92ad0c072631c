/* layer 3.2: slab purge: pages of a slab whose objects are all free
 *
 * A slab with one live object cannot go back, but its other pages can. The
 * span's word `clean` has a bit for each page of the slab (that of the page
 * which the slab's first byte lies in is bit 0): set, the page was given back
 * and nothing was taken from it since, so it reads as zero and is not
 * resident. Only the holder reads and writes it; a slab begins with none.
 *
 *	dirty -> clean	slab_purge(): all objects that touch the page are
 *			free; one call for a row of such pages
 *	clean -> dirty	slab_take(): the first object that touches the page
 *			goes out; the price is a page fault, when the program
 *			writes to it
 *
 * Only the holder of a slab takes objects out of it. So of a page whose bits
 * all were set at its look none goes out before it has let go of the slab,
 * and then the page is clean: the bits stay where they are, other threads'
 * gives go on beside, and none of them misses that the slab became empty. The
 * look is an acquire: the objects' last use, by whoever gave them, comes before
 * the call that takes the page away. The next holder gets the slab out of a
 * list, whose release and acquire put the call before its takes.
 *
 * Bad without that: a page purged from bits that were seen before the slab was
 * held (an object of it may be out again); a page in which a live object has
 * but its first or its last byte; `clean` written by one without the slab.
 *
 * Where the system refuses (the page is locked) nothing changes, and the next
 * calls do nothing, so that a locked heap costs few calls.
 *
 * A thread that dies in slab_purge() strands the slab, as every holder does.
 * Its live objects serve on; its pages are resident or not, which nobody can
 * tell any more, nor has to.
 *
 * Wait-free, as far as the system's call is.
 */
#ifndef LANE_SLAB_PURGE_H
#define LANE_SLAB_PURGE_H

#include "slab/size_class.h"

/* The holder gives back the memory of the pages of free objects that are not
 * clean, with clean ones between them. Returns the bytes. */
size_t slab_purge(struct span *slab);

/* The holder took these objects out: their pages are no longer clean. */
void slab_purge_forget(struct span *slab, void *const *objects, unsigned n);

#endif
