/* layer 0.3: bytes, x86-64: long runs by string instructions
 *
 * Processors of the last ten years move a cache line at a time for them, and
 * need no vector registers.
 */
#ifndef LANE_BYTES_X86_64_H
#define LANE_BYTES_X86_64_H

#include "base/compiler.h"

#define BYTES_LONG 1024

static force_inline void bytes_fill_long(void *to, int value, size_t size)
{
	__asm__ volatile("rep stosb"
			 : "+D"(to), "+c"(size)
			 : "a"(value)
			 : "memory");
}

static force_inline void bytes_copy_long(void *to, const void *from,
					 size_t size)
{
	__asm__ volatile("rep movsb"
			 : "+D"(to), "+S"(from), "+c"(size)
			 :
			 : "memory");
}

#endif
