/* ledger: every live block carries a pattern and has its bits in a shadow map,
 * whose leaves are mapped in advance, for children whose address space is
 * limited
 */
#include "sweep.h"

#include <string.h>
#include <sys/mman.h>

#include "../harness/shadow_map.h"

#define NR_SPARE 48
#define EDGE 128 /* bytes at both ends that carry the pattern */
#define STRIDE 65536

static struct leaf *shadow_map_leaves(size_t n)
{
	void *at = mmap(NULL, n * sizeof(struct leaf), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		child_fail(CRASHED, "no memory for the shadow map");
	return at;
}

void ledger_start(void)
{
	shadow_reserve(NR_SPARE);
}

static void shadow_change(const struct block *b, bool set)
{
	struct granules g = granules_of(b->at, b->size);

	if (!granules_are_users(g))
		child_fail(UNSOUND, "a block outside of user space");
	if (shadow_turn(g, set) != SIZE_MAX)
		child_fail(UNSOUND,
			   set ? "two blocks overlap" : "a block is not live");
}

static unsigned char pattern(const struct block *b, size_t at)
{
	return (unsigned char)(b->mark * 31 + at * 7 + 1);
}

/* Calls for each byte that carries the pattern. */
#define for_pattern(b, i)                                    \
	for (size_t i = 0; i < (b)->size;                    \
	     i += i < EDGE || i + EDGE >= (b)->size ? 1      \
		  : i + STRIDE < (b)->size - EDGE   ? STRIDE \
						    : (b)->size - EDGE - i)

void ledger_add(struct block *b)
{
	if ((uintptr_t)b->at & 7)
		child_fail(UNSOUND, "a block is not aligned");
	shadow_change(b, true);
	ledger_rewrite(b);
}

void ledger_rewrite(struct block *b)
{
	for_pattern(b, i) b->at[i] = pattern(b, i);
}

void ledger_verify(const struct block *b)
{
	for_pattern(b, i) if (b->at[i] != pattern(b, i))
		child_fail(UNSOUND, "a live block was overwritten");
}

void ledger_remove(struct block *b)
{
	ledger_verify(b);
	shadow_change(b, false);
}
