/* blocks: what the program under the fuzzer holds */
#include "blocks.h"

#include <stdint.h>
#include <string.h>

#include "base/bits.h"
#include "world.h"

#define DENSE 4096 /* bytes at the front that are filled one by one */

struct held blocks[NR_BLOCKS];

/* The bytes that have the pattern: each at the front, then a few in a line,
 * then a few in a unit, and the last ones. */
static size_t next(size_t i, size_t size)
{
	size_t step = 1;

	if (i >= DENSE)
		step = i < 64 * KIB ? 61 : 8179;
	if (i + step >= size && i + 8 < size)
		return size - 8;
	return i + 8 >= size ? i + 1 : i + step;
}

static unsigned char byte_at(unsigned char seed, size_t i)
{
	return (unsigned char)((seed + i * 7 + (i >> 8)) | 1);
}

void blocks_reset(void)
{
	memset(blocks, 0, sizeof(blocks));
}

size_t blocks_size(void)
{
	size_t sum = 0;
	unsigned i;

	for (i = 0; i < NR_BLOCKS; i++)
		if (blocks[i].at)
			sum += blocks[i].size;
	return sum;
}

static void fill(const struct held *block)
{
	size_t i;

	for (i = 0; i < block->size; i = next(i, block->size))
		block->at[i] = (char)byte_at(block->seed, i);
}

void blocks_check_bytes(const char *at, size_t keep, const struct held *as)
{
	size_t i;

	for (i = 0; i < keep; i = next(i, as->size))
		if ((unsigned char)at[i] != byte_at(as->seed, i))
			finding("block %p of %zu: byte %zu is %#x, not %#x",
				(void *)as->at, as->size, i,
				(unsigned char)at[i], byte_at(as->seed, i));
}

void blocks_check_dead(const char *at, size_t size)
{
	unsigned i;

	for (i = 0; i < NR_BLOCKS; i++)
		if (blocks[i].at && at < blocks[i].at + blocks[i].size &&
		    blocks[i].at < at + size)
			finding("%p of %zu meets the live block %p of %zu",
				(const void *)at, size, (void *)blocks[i].at,
				blocks[i].size);
}

bool blocks_add(void *block, size_t size, size_t align)
{
	static unsigned char seed;
	unsigned i;

	must((uintptr_t)block % align == 0);
	blocks_check_dead(block, size ? size : 1);
	for (i = 0; i < NR_BLOCKS && blocks[i].at; i++)
		;
	if (i == NR_BLOCKS)
		return false;
	seed = (unsigned char)(i * 37 + size);
	blocks[i] = (struct held){ block, size, seed };
	fill(&blocks[i]);
	return true;
}

struct held blocks_remove(unsigned slot)
{
	struct held block = blocks[slot];

	blocks_check_bytes(block.at, block.size, &block);
	blocks[slot].at = NULL;
	return block;
}

unsigned blocks_next(unsigned slot)
{
	unsigned i;

	for (i = 0; i < NR_BLOCKS; i++)
		if (blocks[(slot + i) % NR_BLOCKS].at)
			return (slot + i) % NR_BLOCKS;
	return NR_BLOCKS;
}

void blocks_check_all(void)
{
	unsigned i;

	for (i = 0; i < NR_BLOCKS; i++)
		if (blocks[i].at)
			blocks_check_bytes(blocks[i].at, blocks[i].size,
					   &blocks[i]);
}

void blocks_check_zero(const char *at, size_t size)
{
	size_t i, step;

	for (i = 0; i < size; i += step) {
		if (at[i])
			finding("zeroed block %p of %zu: byte %zu is %#x",
				(const void *)at, size, i,
				(unsigned char)at[i]);
		step = i < 64 * KIB || i + 64 > size ? 1 : 61;
		if (i > 128 * KIB && i + 16 * KIB < size)
			step = 8179;
	}
}

void blocks_scribble(const struct held *block)
{
	size_t i, most = min_size(block->size, 2 * MIB);

	for (i = 0; i < most; i += i < 256 ? 1 : 59)
		block->at[i] = (char)0xdb;
}
