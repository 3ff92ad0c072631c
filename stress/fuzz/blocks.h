/* blocks: what the program under the fuzzer holds
 *
 * A table of live blocks: address, usable size, alignment and a pattern in
 * their bytes. A block that overlaps another one, lost its bytes, or is given
 * back to the system while it lives is a finding.
 */
#ifndef FUZZ_BLOCKS_H
#define FUZZ_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

#define NR_BLOCKS 384

struct held {
	char *at;	/* NULL: the slot is empty */
	size_t size;	/* usable bytes */
	unsigned char seed;
};

extern struct held blocks[NR_BLOCKS];

void blocks_reset(void);

/* The sum of all usable bytes. */
size_t blocks_size(void);

/* Takes a block into the table and fills it; false: the table is full. */
bool blocks_add(void *block, size_t size, size_t align);

/* Takes the block out of the table, after a look at its bytes. */
struct held blocks_remove(unsigned slot);

/* A slot in use, the next one from `slot` on; NR_BLOCKS: there is none. */
unsigned blocks_next(unsigned slot);

/* The first `keep` bytes are those of a block as it was. */
void blocks_check_bytes(const char *at, size_t keep, const struct held *as);
void blocks_check_all(void);
void blocks_check_zero(const char *at, size_t size);

/* Overwrites a block that is about to be freed. */
void blocks_scribble(const struct held *block);

/* No live byte lies there. */
void blocks_check_dead(const char *at, size_t size);

#endif
