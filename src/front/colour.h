/* layer 5.2: colour: each block has a colour, by which alone it is reached
 *
 * Where memory has colours (system/colours.h), the program's objects have one:
 * a pointer that malloc returns has a colour of 1 to 15, and so has the memory
 * behind it, as far as the size that was asked for goes, in granules of sixteen
 * bytes. All other memory, free objects, footers, runs, what the library needs
 * for itself, has colour 0.
 *
 *	free, colour 0 --colour_give--> the program's, 1..15
 *		       <--colour_take--
 *
 * Objects side by side have an odd and an even colour, so that what runs out of
 * one into its neighbour faults always; what uses a freed block faults until
 * the memory is an object's again, and then unless it has got the same of seven
 * or eight colours. Runs have none, as giving them one would touch all their
 * pages: pages without access stand behind those.
 *
 * In the library pointers are plain, but between the program and these
 * functions: lanes, slabs, lists, the page map, the profile and who looks from
 * outside meet no coloured one. So the fast paths stay what they are; with
 * hardened=1 no call goes by them. Free memory is the library's to write, as
 * plain pointers have colour 0; live blocks are read and moved by realloc and
 * malloc_usable_size alone, between colour_look_begin() and colour_look_end(),
 * where the thread's accesses are not checked. A handler that interrupts that
 * is: the kernel says so to each handler.
 *
 * Pages that go back to the system come back with colour 0, which free memory
 * has. Memory that has no colours (mapped before the options were known, where
 * it could not be covered) keeps 0 and makes pointers of colour 0: as without.
 *
 * Interleavings: of two threads that free one block the second finds colour 0,
 * or both find the block's; then marks, bits and footers decide as they do
 * without colours. A thread that is stopped between a look at the colour and
 * the free may take away the colour of a block that another got meanwhile: the
 * block that was freed twice, and its new owner faults.
 *
 * A thread that dies in colour_give() or behind colour_take() loses the object
 * in its hands, as without; one that dies while it looks leaves nothing.
 * Everything is wait-free and may run in handlers.
 */
#ifndef LANE_COLOUR_H
#define LANE_COLOUR_H

#include "slab/page_map.h"
#include "system/colours.h"

/* Starts it, once the options are known. */
void colour_start(void);

void *colour_give_slow(void *pointer, const struct block *block, size_t size);
void *colour_take_slow(void *pointer, const char *verb);

/* The pointer by which the program has the block, which is free for it: the
 * last step of an allocation. */
static force_inline void *colour_give(void *pointer, const struct block *block,
				      size_t size)
{
	return colours_are_on() ? colour_give_slow(pointer, block, size) :
				  pointer;
}

/* The plain pointer of a block that the program gives back: the first step of
 * freeing it. fault() if it has not the block's colour. What is no object of
 * ours stays what it is, to be found so. */
static force_inline void *colour_take(void *pointer, const char *verb)
{
	return colours_are_on() ? colour_take_slow(pointer, verb) : pointer;
}

/* The pointer as the library has it. */
static force_inline void *colour_off(const void *pointer)
{
	return colours_are_on() ? mte_plain(pointer) :
				  (void *)(uintptr_t)pointer;
}

/* A look at a live block, by a call that keeps it. */
struct colour_look {
	void *plain; /* the block, as the library has it */
	void *coloured;
	uint64_t before;
};

/* As colour_take(), but the block keeps its colour; the calling thread reads
 * and writes blocks by plain pointers from now on. */
void colour_look_begin(struct colour_look *look, const void *pointer,
		       const char *verb);
void colour_look_end(const struct colour_look *look);

/* Takes the colour off a live block that was looked at, and is to be freed. */
void colour_drop(void *plain, const struct block *block);

/* Lets the colour of a block go as far as size, which it was made. Returns the
 * program's pointer. */
void *colour_resize(const struct colour_look *look, size_t size);

#endif
