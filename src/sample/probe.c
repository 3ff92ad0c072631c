/* layer 4.5: probe: where tracers see the samples as they are taken; contract
 * in probe.h */
#include "sample/probe.h"

#if defined(__x86_64__)
#include "sample/probe_x86_64.h"
#elif defined(__aarch64__)
#include "sample/probe_aarch64.h"
#endif

#define semaphore __attribute__((section(".probes"), used))

semaphore _Atomic(uint16_t) probe_alloc_readers;
semaphore _Atomic(uint16_t) probe_free_readers;

/* The note of the nop at 1: its head has the lengths of name and description,
 * and the note's type. The base is one byte that all notes of a file share. */
#define PROBE(name, semaphore, arguments)                           \
	"1:\tnop\n\t"                                               \
	".pushsection .note.stapsdt, \"\", \"note\"\n\t"            \
	".balign 4\n\t"                                             \
	".4byte 3f - 2f, 5f - 4f, 3\n"                              \
	"2:\t.asciz \"stapsdt\"\n"                                  \
	"3:\t.balign 4\n"                                           \
	"4:\t.8byte 1b, _.stapsdt.base, " semaphore "\n\t"          \
	".asciz \"otel_memory\", \"" name "\", \"" arguments "\"\n" \
	"5:\t.balign 4\n\t"                                         \
	".popsection\n\t"                                           \
	".ifndef _.stapsdt.base\n\t"                                \
	".pushsection .stapsdt.base, \"aG\", \"progbits\", "        \
	".stapsdt.base, comdat\n\t"                                 \
	".weak _.stapsdt.base\n\t"                                  \
	".hidden _.stapsdt.base\n"                                  \
	"_.stapsdt.base:\n\t"                                       \
	".space 1\n\t"                                              \
	".size _.stapsdt.base, 1\n\t"                               \
	".popsection\n\t"                                           \
	".endif\n\t"

#define PROBE_REGISTERS_3                                        \
	PROBE_REGISTER(PROBE_ARGUMENT_1)                         \
	" " PROBE_REGISTER(PROBE_ARGUMENT_2) " " PROBE_REGISTER( \
		PROBE_ARGUMENT_3)

__attribute__((noinline)) void probe_alloc(const void *block, size_t size,
					   size_t weight)
{
	register const void *a __asm__(PROBE_ARGUMENT_1) = block;
	register size_t b __asm__(PROBE_ARGUMENT_2) = size;
	register size_t c __asm__(PROBE_ARGUMENT_3) = weight;

	__asm__ volatile(
		PROBE("alloc", "probe_alloc_readers", PROBE_REGISTERS_3)
		:
		: "r"(a), "r"(b), "r"(c)
		: "memory");
}

__attribute__((noinline)) void probe_free(const void *block)
{
	register const void *a __asm__(PROBE_ARGUMENT_1) = block;

	__asm__ volatile(PROBE("free", "probe_free_readers",
			       PROBE_REGISTER(PROBE_ARGUMENT_1))
			 :
			 : "r"(a)
			 : "memory");
}
