/* layer 4.5: FDE: which description in .eh_frame is an address's
 *
 * See cfi.h. Finds by a binary search of the table in .eh_frame_hdr, unless a
 * hint of before, a number of a pair by address, still holds: the pair tells.
 * Wait-free; all threads store hints, and a thread that dies leaves nothing.
 */
#ifndef LANE_FDE_H
#define LANE_FDE_H

#include "sample/code.h"

struct fde {
	uint64_t begin;	     /* the first address that it describes */
	struct code initial; /* instructions: of all such functions, */
	struct code own;     /* and of this one */
	uint64_t code_align;
	int64_t data_align;
	const unsigned char *base; /* of the table */
	unsigned ra;		   /* the register of the return address */
	unsigned encoding;	   /* of addresses */
	bool interrupted;	   /* a signal handler's caller */
};

/* Where the description of an address lies in which table; false: none does.
 * Within one walk the place of the last address is the next one's beginning:
 * while a function of an object is on the stack, its table stays. */
struct fde_place {
	const unsigned char *base;  /* of the table */
	const unsigned char *entry; /* of it; it may be another address's */
	uint64_t begin, end;	    /* of the object; 0: none was found yet */
	bool lasting;		    /* the object stays mapped (lasting.h) */
};
bool fde_find(uint64_t pc, struct fde_place *place);

/* Reads a description; false: it is another address's, or written as no
 * compiler does. */
bool fde_read(uint64_t pc, const struct fde_place *place, struct fde *fde);

/* Finds the name of the object that has the address, "" for the program, and
 * what the address is in its file, as addr2line wants it. False: none has. */
bool fde_in_file(uint64_t pc, const char **name, uint64_t *address);

/* Finds where the object that has the address is mapped. False: none has. */
bool fde_object(uint64_t pc, uint64_t *begin, uint64_t *end);

#endif
