/* layer 0.5: bytes: memset, memcpy and memmove of the library's own
 *
 * Compilers call these by name for large structs, and so does our code. libc's
 * cannot be called before libc is relocated, and allocation must work then
 * (IFUNC resolvers); so the library has its own, hidden from the program.
 * Long runs go to the processor's string instructions where it has them.
 *
 * The empty asm keeps compilers from seeing that a loop is what it is, and
 * from calling the function that they are just compiling.
 */
#include "base/bytes.h"

typedef uint64_t __attribute__((vector_size(16), aligned(1), may_alias)) chunk;

#define CHUNK sizeof(chunk)

static force_inline void opaque_loop(void)
{
	__asm__ volatile("" ::: "memory");
}

void *memset(void *to, int value, size_t size)
{
	uint64_t all = (uint8_t)value * UINT64_C(0x0101010101010101);
	chunk filler = { all, all };
	unsigned char *at = to, *end = at + size;

	if (size >= BYTES_LONG) {
		bytes_fill_long(to, value, size);
		return to;
	}
	for (; (size_t)(end - at) >= CHUNK; at += CHUNK) {
		*(chunk *)at = filler;
		opaque_loop();
	}
	for (; at < end; at++) {
		*at = (unsigned char)value;
		opaque_loop();
	}
	return to;
}

static void copy_up(unsigned char *to, const unsigned char *from, size_t size)
{
	size_t i = 0;

	for (; size - i >= CHUNK; i += CHUNK) {
		*(chunk *)(to + i) = *(const chunk *)(from + i);
		opaque_loop();
	}
	for (; i < size; i++) {
		to[i] = from[i];
		opaque_loop();
	}
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	if (size >= BYTES_LONG)
		bytes_copy_long(to, from, size);
	else
		copy_up(to, from, size);
	return to;
}

/* Rare here: one byte at a time where it must go downwards. */
void *memmove(void *to, const void *from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if ((uintptr_t)t - (uintptr_t)f >= size)
		return memcpy(to, from, size);
	while (size--) {
		t[size] = f[size];
		opaque_loop();
	}
	return to;
}
