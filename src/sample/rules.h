/* layer 4.6: rules: how to leave a function from an address, in one word
 *
 * Most functions keep the caller's registers at fixed places below the CFA, and
 * the CFA at a fixed distance from the stack or frame pointer:
 *
 *	bits  0..19	that distance, in words
 *	bit  20		from the frame pointer
 *	bits 21..62	FRAME_PACKED registers, 6 bits each: where it is saved,
 *			in words below the CFA; 0: the function left it alone
 *
 * What running .eh_frame's instructions gave is kept for the next time, in a
 * table with one entry an address:
 *
 *	entry[0] = key ^ rule	entry[1] = rule
 *
 * The key mixes the address with all bytes of its description (FDE) and the
 * head of the common part, so a library that comes where another one was finds
 * nothing of it. A reader that sees the halves of two writers sees a wrong key;
 * no entry is ever held, and a thread that dies between the two stores leaves
 * one that nobody finds. All is wait-free.
 *
 * Of code that stays mapped (lasting.h) the address alone makes the key: what
 * once was found of it holds, and its description need not be looked at. Those
 * rules have a table of their own, of the same kind. Their keys are a bijection
 * of addresses.
 */
#ifndef LANE_RULES_H
#define LANE_RULES_H

#include "base/atomic.h"
#include "sample/frame.h"

#define RULES_DISTANCE_MOST 0xfffffu
#define RULES_FRAME_POINTER ((uint64_t)1 << 20)
#define RULES_REGS 21
#define RULES_REG_BITS 6
#define RULES_REG_MOST 63u
#define RULES_PLACE_RA 0 /* the first of FRAME_PACKED, */
#define RULES_PLACE_FP 1 /* and the second */
#define RULES_NONE UINT64_MAX
#define RULES_END (UINT64_MAX - 1) /* it has no caller */

/* Makes the key of an address whose description lies there. */
uint64_t rules_key(uint64_t pc, const unsigned char *entry);

/* Find what was kept of a key, or keep it; RULES_NONE: not known. */
uint64_t rules_find(uint64_t key);
void rules_keep(uint64_t key, uint64_t rule);

/* The same of an address in code that stays, in the caller's own code. */
#define RULES_LASTING_SHIFT 52 /* of a key: to its entry */
#define RULES_LASTING_MIX UINT64_C(0x9e3779b97f4a7c15)
extern _Atomic(uint64_t) rules_lasting[1 << (64 - RULES_LASTING_SHIFT)]
				      [2] internal; /* atomic: as above */

static force_inline uint64_t rules_lasting_key(uint64_t pc)
{
	uint64_t key = pc * RULES_LASTING_MIX;

	return key ^ key >> 32;
}

static force_inline uint64_t rules_find_lasting(uint64_t pc)
{
	uint64_t key = rules_lasting_key(pc), rule;
	_Atomic(uint64_t) *entry = rules_lasting[key >> RULES_LASTING_SHIFT];

	rule = load_relaxed(&entry[1]);		     // hint: the key tells
	if ((load_relaxed(&entry[0]) ^ rule) != key) // hint
		return RULES_NONE;
	return rule;
}

void rules_keep_lasting(uint64_t pc, uint64_t rule);

/* Says how far below the CFA the i-th of FRAME_PACKED is, in words. */
static force_inline unsigned rules_place(uint64_t rule, unsigned i)
{
	return (unsigned)(rule >> (RULES_REGS + RULES_REG_BITS * i)) &
	       RULES_REG_MOST;
}

#endif
