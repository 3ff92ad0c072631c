/* layer 4.9: proto: fields of protocol buffers
 *
 * Numbers are varints; a message inside of another one begins with its length,
 * so that it is measured first: each put has a size. Pure, but for the writer.
 */
#ifndef LANE_PROTO_H
#define LANE_PROTO_H

#include "base/bits.h"
#include "sample/writer.h"

/* What follows a field's number. */
#define PROTO_VARINT 0
#define PROTO_BYTES 2

static inline size_t varint_size(uint64_t value)
{
	return value ? bits_last(value) / 7 + 1 : 1;
}

static inline void varint_put(struct writer *w, uint64_t value)
{
	unsigned char bytes[10];
	size_t n = 0;

	for (; value > 0x7f; value >>= 7)
		bytes[n++] = (unsigned char)(value | 0x80);
	bytes[n++] = (unsigned char)value;
	writer_put(w, bytes, n);
}

/* Measure and write a field below 16 with a number. */
static inline size_t number_size(uint64_t value)
{
	return 1 + varint_size(value);
}

static inline void number_put(struct writer *w, unsigned field, uint64_t value)
{
	varint_put(w, field << 3 | PROTO_VARINT);
	varint_put(w, value);
}

/* Begins a field below 16 with so many bytes, which follow. */
static inline void bytes_begin(struct writer *w, unsigned field, size_t size)
{
	varint_put(w, field << 3 | PROTO_BYTES);
	varint_put(w, size);
}

static inline void string_put(struct writer *w, unsigned field,
			      const char *text)
{
	bytes_begin(w, field, __builtin_strlen(text));
	writer_text(w, text);
}

#endif
