/* layer 2.2: hugepage node: whose hugepages are; contract in hugepage_node.h */
#include "pageheap/hugepage_node.h"

#include "system/place.h"
#include "system/system.h"

/* A parent's words; NULL: there are none yet, and all hugepages nobody's. */
static _Atomic(uint64_t) *node_words(const struct region *region,
				     uint32_t parent)
{
	// [region.nodes] with node_words_add(): its zeros
	_Atomic(uint64_t) *words = load_acquire(&region->nodes);

	return words ? words + (size_t)parent * NODE_WORDS : NULL;
}

static cold _Atomic(uint64_t) *node_words_add(struct region *region,
					      uint32_t parent)
{
	size_t nr = (size_t)region->levels[1].nr_words * NODE_WORDS;
	size_t size = nr * sizeof(uint64_t);
	_Atomic(uint64_t) *words = place_map(size), *none = NULL;

	if (!words)
		return NULL;
	// [region.nodes] with node_words(): its zeros
	if (!cas_release(&region->nodes, &none, words))
		system_unmap(words, round_up(size, system_page_size()));
	return node_words(region, parent);
}

uint64_t node_hugepages_slow(const struct region *region, uint32_t parent,
			     unsigned number)
{
	_Atomic(uint64_t) *words = node_words(region, parent);
	uint64_t mask = ALL_ONES, word;
	unsigned i;

	if (unlikely(!words))
		return number ? 0 : ALL_ONES;
	for (i = 0; i < NODE_WORDS; i++) {
		word = load_relaxed(&words[i]); // hint
		mask &= number >> i & 1 ? word : ~word;
	}
	return mask;
}

static void node_set(struct region *region, uint32_t parent, uint64_t mask,
		     unsigned number)
{
	_Atomic(uint64_t) *words = node_words(region, parent);
	uint64_t word;
	unsigned i;

	if (unlikely(!words))
		words = node_words_add(region, parent);
	for (i = 0; words && i < NODE_WORDS; i++) {
		word = load_relaxed(&words[i]); // hint
		if (number >> i & 1 && ~word & mask)
			or_relaxed(&words[i], mask); // hint
		if (!(number >> i & 1) && word & mask)
			and_relaxed(&words[i], ~mask); // hint
	}
}

/* The hugepages of [h, end) that lie under h's parent. */
static uint64_t node_mask(uint32_t h, uint32_t end)
{
	uint32_t first = h % WORD_BITS;

	return bits_range(first,
			  (unsigned)min_size(WORD_BITS - first, end - h));
}

/* The hugepages of these units become the node's, with `nobodys` those alone
 * that are nobody's. */
static void node_claim(struct region *region, uint32_t unit, uint32_t n,
		       unsigned node, bool nobodys)
{
	uint32_t h = unit / HUGEPAGE_UNITS, parent;
	uint32_t end = (unit + n - 1) / HUGEPAGE_UNITS + 1;
	uint64_t mask;

	for (; node != NODE_ANY && h < end; h = (parent + 1) * WORD_BITS) {
		parent = h / WORD_BITS;
		mask = node_mask(h, end);
		if (nobodys)
			mask &= node_hugepages_slow(region, parent, 0);
		node_set(region, parent, mask, node + 1);
	}
}

void node_assign(struct region *region, uint32_t unit, uint32_t n,
		 unsigned node)
{
	node_claim(region, unit, n, node, false);
}

void node_assign_new(struct region *region, uint32_t unit, uint32_t n,
		     unsigned node)
{
	node_claim(region, unit, n, node, true);
}

unsigned node_of_hugepage(const struct region *region, uint32_t hugepage)
{
	unsigned node = 0;

	while (node < NODES_MOST && !node_has(region, hugepage, node))
		node++;
	return node;
}
