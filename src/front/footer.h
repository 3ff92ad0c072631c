/* layer 5.1: footer: what stands behind a block's bytes, and in free ones
 *
 * With usable=requested, hardened=1 or checks=full each block ends in a footer,
 * of which the last eight bytes hold the size asked for and the form of the
 * call that asked, mixed with the block's address and with where this process
 * has its tables, which no block tells: what the program writes over it reads
 * as no size that the block can have. The first bytes between the size and the
 * footer are filled. With checks=full eight more before the footer hold the
 * stacks that allocated and freed the block, as numbers of trace.h. Blocks made
 * before the options are known have the longer footer, so that all have one
 * that may meet an option that looks for it; their form is FORM_ANY, as no
 * fill is where the shorter footer would have it.
 *
 *	block.size = size asked for + slack + footer
 *
 *	in hands --store--> live --CAS, by who frees--> in hands
 *		 --store--> freed --store--> in hands
 *
 * Of two that free one block one makes the footer say so; it says freed when
 * all of the fill is there, so that a thread that is stopped before that is
 * none that wrote too late. What is neither, nor
 * zero as in fresh memory, was written by the program; who looks at another's
 * block (check.h) takes what is not live for "in somebody's hands".
 *
 * With checks=full a small block is filled when it is freed, as far as the
 * page that it begins in, which slab_purge() takes whole. The words of the fill
 * follow from the address and from the slab's life, so that none that the
 * memory holds from another life is taken for one of this life. On its way out
 * either no word is the fill (fresh memory, or a purged page) or all are: some
 * means that the program wrote there after the free.
 *
 * With hardened=1 a free block is zeros, its footer with it, so that none but a
 * live one has a size.
 *
 * All of it happens in the hands of who holds the block; a thread that dies
 * here loses it. Wait-free.
 */
#ifndef LANE_FOOTER_H
#define LANE_FOOTER_H

#include "front/canary.h"

enum footer_state { FOOTER_HELD, FOOTER_LIVE, FOOTER_FREED, FOOTER_BAD };

struct footer {
	enum footer_state state;
	enum block_form form; /* live and freed ones */
	size_t size;	      /* asked for; live and freed ones */
	uint32_t made, freed; /* stacks; 0: not known */
};

/* Returns the bytes of the footer, 0 where there is none. */
size_t block_footer_size(void);
/* Returns the bytes of this block's footer: guarded ones have none. */
size_t block_footer_of(const struct block *block);

/* Set and read the footer of a block that has one. The form is FORM_C until it
 * is set. */
void block_form_set(void *pointer, const struct block *block,
		    enum block_form form);
void block_footer_set(void *pointer, const struct block *block, size_t size);
void block_footer_read(const void *pointer, const struct block *block,
		       struct footer *footer);

/* Finds the first byte of the slack that was written to; NULL: none was, or
 * nobody fills it. footer: the block's, a live one. */
const char *block_slack_look(const void *pointer, const struct block *block,
			     const struct footer *footer);

/* What one copy by the kernel showed of memory, so that the next blocks of a
 * slab need no other. */
#define BLOCK_WINDOW PAGE_LEAST
struct block_window {
	uint64_t bytes[BLOCK_WINDOW / sizeof(uint64_t)]
		__attribute__((aligned(16)));
	uintptr_t at;
	size_t size;
};

/* Another's block with checks=full, as it is now: its footer; of a live one the
 * first byte of the slack that was written to, or NULL; of another object,
 * `free` or in somebody's hands, whether it is as block_retire() left it. Reads
 * through the kernel alone, since the memory may go while it is read; through
 * the window, if one is given, of what is as it was a moment ago. False: it
 * changed while it looked damaged, or cannot be read: the kernel copies nothing
 * in a sandbox (peek.h). */
struct block_look {
	struct footer footer;
	const char *slack;
	bool is_as_freed;
};
bool block_look(const void *pointer, const struct block *block, bool free,
		struct block_window *window, struct block_look *out);

/* Takes a live block into the caller's hands, who frees it. False: it was not
 * live, or another did. */
bool block_claim(void *pointer, const struct block *block);

/* Makes a live block's footer say that it is freed, and fills the block, with
 * checks=full. False: it was not live. */
bool block_retire(void *pointer, const struct block *block);

/* The same by a call of that form, where all that checks=full looks at is in
 * order. False: it is not, others say why; nothing has changed. */
bool block_try_retire(void *pointer, const struct block *block,
		      enum block_form form);

/* Whether a small block that is free is as block_retire() left it, or its
 * memory is none that this did. */
bool block_is_as_freed(const void *pointer, const struct block *block);

/* Finds the first byte that was written to since, of one that is not. */
const char *block_fill_look(const void *pointer, const struct block *block);

#endif
