/* load: what a worker of a cell does */
#ifndef PERTURB_LOAD_H
#define PERTURB_LOAD_H

#include <stddef.h>
#include <stdint.h>

void load_start(void);
void load_worker_start(unsigned index);
void load_step(void);
/* Frees what it holds. */
void load_worker_end(void);
/* SIG_BLOCK, SIG_UNBLOCK: the signals that the perturber sends. */
void load_mask_signals(int how);
/* Bytes of the blocks in all hands, as the library counts them. */
uint64_t load_held_size(void);
/* Nothing is held any more. */
void load_end(void);

_Noreturn void load_fail(const char *text, uint64_t a, uint64_t b);
uint64_t load_rss(void);

/* inside.c */

struct inside {
	uint64_t live_size, cached_size, claimed_size;
	uint64_t nr_slabs, nr_large, nr_unfiled, nr_unhinted;
};
/* Frees what waits, some of it to lanes. */
void inside_let_go(void);
/* Ends the program if something is not accounted for. */
void inside_check(struct inside *out);
uint64_t inside_block_size(const void *block);
/* Its memory. */
void *inside_map(size_t size);
void inside_unmap(void *at, size_t size);

#endif
