/* Bytes that depend on a seed and on where in the block they are, by which a
 * test knows its blocks again; what is moved by a page, a unit or a hugepage
 * is not what belongs there. Written and compared a piece at a time.
 */
#ifndef PATTERN_H
#define PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PATTERN_PIECE ((size_t)256)

/* Byte k is 37 k; the table holds two turns, so that 256 bytes follow from any
 * start. */
#define PATTERN_1(i) (unsigned char)((i) * 37)
#define PATTERN_4(i) \
	PATTERN_1(i), PATTERN_1((i) + 1), PATTERN_1((i) + 2), PATTERN_1((i) + 3)
#define PATTERN_16(i)                                         \
	PATTERN_4(i), PATTERN_4((i) + 4), PATTERN_4((i) + 8), \
		PATTERN_4((i) + 12)
#define PATTERN_64(i)                                              \
	PATTERN_16(i), PATTERN_16((i) + 16), PATTERN_16((i) + 32), \
		PATTERN_16((i) + 48)
#define PATTERN_256 \
	PATTERN_64(0), PATTERN_64(64), PATTERN_64(128), PATTERN_64(192)
static const unsigned char pattern_bytes[2 * PATTERN_PIECE] = { PATTERN_256,
								PATTERN_256 };

/* Those from byte i on, to the end of its piece. */
static inline const unsigned char *pattern_from(uint64_t seed, size_t i)
{
	uint64_t turn = ((seed + (i >> 16)) * 0x9e3779b97f4a7c15u >> 56) +
			i / PATTERN_PIECE;

	return pattern_bytes + turn % PATTERN_PIECE + i % PATTERN_PIECE;
}

static inline unsigned char pattern_byte(uint64_t seed, size_t i)
{
	return *pattern_from(seed, i);
}

static inline size_t pattern_piece(size_t from, size_t to)
{
	size_t n = PATTERN_PIECE - from % PATTERN_PIECE;

	return n < to - from ? n : to - from;
}

/* Bytes from <= i < to of a block. */
static inline void pattern_write(void *block, size_t from, size_t to,
				 uint64_t seed)
{
	size_t n;

	for (; from < to; from += n) {
		n = pattern_piece(from, to);
		memcpy((char *)block + from, pattern_from(seed, from), n);
	}
}

static inline int pattern_is_there(const void *block, size_t from, size_t to,
				   uint64_t seed)
{
	size_t n;

	for (; from < to; from += n) {
		n = pattern_piece(from, to);
		if (memcmp((const char *)block + from,
			   pattern_from(seed, from), n))
			return 0;
	}
	return 1;
}

#endif
