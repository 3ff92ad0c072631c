/* layer 0.3: bytes, generic: long runs by four registers at a time */
#ifndef LANE_BYTES_GENERIC_H
#define LANE_BYTES_GENERIC_H

#include "base/compiler.h"

#define BYTES_LONG 64

typedef uint64_t __attribute__((vector_size(16), aligned(1), may_alias))
bytes_vector;

static force_inline void bytes_fill_long(void *to, int value, size_t size)
{
	uint64_t all = (uint8_t)value * UINT64_C(0x0101010101010101);
	bytes_vector v = { all, all }, *at = to;
	bytes_vector *last = (void *)((char *)to + size - BYTES_LONG);

	for (; at < last; at += 4) {
		at[0] = at[1] = at[2] = at[3] = v;
		__asm__ volatile("" ::: "memory");
	}
	last[0] = last[1] = last[2] = last[3] = v;
}

/* The last 64 bytes are loaded before anything is stored, so that it does not
 * matter that they are stored twice in part. */
static force_inline void bytes_copy_long(void *to, const void *from,
					 size_t size)
{
	const bytes_vector *f = from;
	bytes_vector *t = to,
		     *t_last = (void *)((char *)to + size - BYTES_LONG);
	const bytes_vector *f_last =
		(const void *)((const char *)from + size - BYTES_LONG);
	bytes_vector a = f_last[0], b = f_last[1], c = f_last[2], d = f_last[3];

	for (; t < t_last; t += 4, f += 4) {
		t[0] = f[0];
		t[1] = f[1];
		t[2] = f[2];
		t[3] = f[3];
		__asm__ volatile("" ::: "memory");
	}
	t_last[0] = a;
	t_last[1] = b;
	t_last[2] = c;
	t_last[3] = d;
}

#endif
