/* layer 3.4: fitted class: classes for sizes that the program asks for
 *
 * The fixed classes step by up to a quarter, so that a program which asks for
 * 848 bytes again and again gets 1024. Where a fixed class grows by slab after
 * slab and a sample of the sizes asked for stays well below that of its
 * objects, a class is made that fits the largest of them: from then on it
 * serves the sizes up to that one. Objects that are there stay what they are.
 * (Adaptive size classes; the class sizes of most allocators are fixed.)
 *
 * Each fixed class has a window, one word:
 *
 *	bits  0..15	most	the largest size of the window's samples
 *	bits 16..31	nr	samples so far
 *	bits 32..63	slabs	the most slabs that a sample saw
 *
 * A sample is taken by the first miss that finds more slabs of the class than
 * any before it; WINDOW_SAMPLES of them end a window, more when classes were
 * made before. So a window is at least as many slabs of growth, and a program
 * that does not grow pays one compare a miss. Whoever ends a window by CAS
 * decides on it. The class must be a part of the heap that counts, as fitted
 * classes are few and for ever. One is his by an addition to nr_fitted, he
 * fills its row, then passes the sizes on one by one, each by a release.
 *
 * Meanwhile others may see some sizes passed on and some not: every class
 * that a size leads to holds it, before, after and in between, also where two
 * windows of one class end at once. A thread that dies in here strands a
 * class without sizes, or leaves some sizes with the old one; where it dies
 * between a size's two tables, the next miss mends that. Wait-free.
 */
#ifndef LANE_FITTED_CLASS_H
#define LANE_FITTED_CLASS_H

#include "slab/size_class.h"

/* Notes that a lane of `size_class` missed, which was to serve `size`. */
void fitted_class_note(unsigned size_class, size_t size);

/* Returns how many fitted classes there are. */
unsigned fitted_class_count(void);

/* Mends the lane of a size that `size_class` has. Where a thread vanished
 * between the writes of the two tables, or two raced, the fast path looks into
 * another lane, at every call: mended by who comes by. */
static force_inline void size_lane_mend(size_t size, unsigned size_class)
{
	if (unlikely(size_lane_of(size).words != size_classes[size_class].lane))
		store_relaxed(&size_lanes[(size + 15) / 16], // hint
			      size_classes[size_class].lane);
}

/* What a slab of such objects is made of. */
struct fitted_geometry {
	uint16_t nr_units, nr_objects;
};

/* Finds the fewest units that lose as little as the fixed classes' slabs; where
 * none do, those that lose least. 160 <= size <= SMALL_SIZE_MOST. */
struct fitted_geometry fitted_class_geometry(uint32_t size);

/* Makes `fitted`, which the caller alone holds and which has no size yet, the
 * class of those sizes up to `size` (a multiple of 16) that `size_class`
 * served. Wait-free. */
void fitted_class_fill(unsigned fitted, unsigned size_class, uint32_t size);

#endif
