/* layer 4.5: code: reads the numbers of .eh_frame, piece by piece
 *
 * What lies behind the end reads as zeros and sets `bad`. Pure.
 */
#ifndef LANE_CODE_H
#define LANE_CODE_H

#include "base/compiler.h"

struct code {
	const unsigned char *at, *end;
	bool bad;
};

/* Pointer encodings: the low half is the format, the high half what it is
 * relative to. */
#define CODE_FORMAT 0x0f
#define CODE_ABSOLUTE 0x00
#define CODE_PC_RELATIVE 0x10
#define CODE_DATA_RELATIVE 0x30

/* Reads n bytes, at most 8. */
static inline uint64_t code_bytes(struct code *code, unsigned n)
{
	uint64_t value = 0;
	unsigned i;

	if (unlikely((size_t)(code->end - code->at) < n)) {
		code->bad = true;
		code->at = code->end;
		return 0;
	}
	for (i = 0; i < n; i++)
		value |= (uint64_t)code->at[i] << 8 * i;
	code->at += n;
	return value;
}

/* Reads n bytes with a sign. */
static inline int64_t code_signed(struct code *code, unsigned n)
{
	unsigned shift = 64 - 8 * n;

	return (int64_t)(code_bytes(code, n) << shift) >> shift;
}

/* Reads the LEB128 forms; *shift: bits read. */
static inline uint64_t code_leb(struct code *code, unsigned *shift,
				uint64_t *last)
{
	uint64_t value = 0;

	*shift = 0;
	do {
		*last = code_bytes(code, 1);
		if (*shift < 64)
			value |= (*last & 0x7f) << *shift;
		*shift += 7;
	} while (*last & 0x80);
	return value;
}

static inline uint64_t code_uleb(struct code *code)
{
	unsigned shift;
	uint64_t last;

	return code_leb(code, &shift, &last);
}

static inline int64_t code_sleb(struct code *code)
{
	unsigned shift;
	uint64_t last, value = code_leb(code, &shift, &last);

	if (shift < 64 && last & 0x40)
		value |= ~(uint64_t)0 << shift;
	return (int64_t)value;
}

static inline uint64_t code_format(struct code *code, unsigned format)
{
	/* clang-format off */
	switch (format & CODE_FORMAT) {
	case 0x00: return code_bytes(code, 8);
	case 0x01: return code_uleb(code);
	case 0x02: return code_bytes(code, 2);
	case 0x03: return code_bytes(code, 4);
	case 0x04: return code_bytes(code, 8);
	case 0x09: return (uint64_t)code_sleb(code);
	case 0x0a: return (uint64_t)code_signed(code, 2);
	case 0x0b: return (uint64_t)code_signed(code, 4);
	case 0x0c: return code_bytes(code, 8);
	}
	/* clang-format on */
	code->bad = true;
	return 0;
}

/* Reads a pointer in that encoding; data: what data are relative to. */
static inline uint64_t code_pointer(struct code *code, unsigned encoding,
				    uint64_t data)
{
	uint64_t here = (uintptr_t)code->at;
	uint64_t value = code_format(code, encoding);

	switch (encoding & 0xf0) {
	case CODE_ABSOLUTE:
		return value;
	case CODE_PC_RELATIVE:
		return value + here;
	case CODE_DATA_RELATIVE:
		return value + data;
	}
	code->bad = true;
	return 0;
}

#endif
