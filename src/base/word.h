/* layer 0.3: word: structs that fill an atomic word
 *
 * A word that packs several things is a struct of the word's size. It changes
 * by pure functions on copies, so that all its states can be tested without
 * threads; what is atomic is the plain word, as base/atomic.h and the sections
 * know it. The first field is the word's low end (both architectures are
 * little-endian).
 *
 *	WORD(gate_count, uint64_t);	with struct gate_count
 *	gate_count_unpack(word)		the struct of a plain word
 *	gate_count_pack(w)		and back
 */
#ifndef LANE_WORD_H
#define LANE_WORD_H

#include "base/compiler.h"

/* clang-format off */
#define WORD(name, type)                                               \
	_Static_assert(sizeof(struct name) == sizeof(type),            \
		       #name " fills its word");                       \
	static force_inline struct name name##_unpack(type word)       \
	{                                                              \
		return (union { type from; struct name to; }){ word }.to; \
	}                                                              \
	static force_inline type name##_pack(struct name w)            \
	{                                                              \
		return (union { struct name from; type to; }){ w }.to; \
	}                                                              \
	_Static_assert(sizeof(type), "takes a semicolon")
/* clang-format on */

#endif
