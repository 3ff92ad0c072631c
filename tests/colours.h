/* colours: memory with colours as a program has it: whether there is some, what
 * a pointer and its memory have, and faults that a test awaits (api_mte.c) */
#ifndef COLOURS_H
#define COLOURS_H

#include "expect.h"

#include <sys/auxv.h>

#define HWCAP2_TAGS (1ul << 18)
#define CODE_LATE 8
#define CODE_AT_ONCE 9
#define COLOUR_SHIFT 56
#define GRANULE ((size_t)16)

static __thread sigjmp_buf back;
static __thread volatile bool is_awaited; /* a fault, which goes there */
static __thread volatile int code;	  /* of the last; 0: there was none */
static volatile char sink;

static bool has_tags(void)
{
#ifdef __aarch64__
	return getauxval(AT_HWCAP2) & HWCAP2_TAGS;
#else
	return false;
#endif
}

static unsigned colour_of(const void *p)
{
	return (uintptr_t)p >> COLOUR_SHIFT & 15;
}

static char *plain(const void *p)
{
	return (char *)((uintptr_t)p & ~((uintptr_t)15 << COLOUR_SHIFT));
}

static size_t whole(size_t n)
{
	return (n + GRANULE - 1) / GRANULE * GRANULE;
}

/* A fault that nobody awaits ends the process: where it would go to is gone. */
static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (!is_awaited) {
		signal(number, SIG_DFL);
		raise(number);
	}
	code = number == SIGABRT ? SIGABRT : info->si_code;
	/* Behind the last object of a slab may be its wall. */
	if (number == SIGSEGV && code == SEGV_ACCERR)
		code = CODE_AT_ONCE;
	siglongjmp(back, 1);
}

static void faults_catch(void)
{
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO | SA_NODEFER };

	must(!sigaction(SIGSEGV, &action, NULL));
	must(!sigaction(SIGABRT, &action, NULL));
}

/* The si_code of the fault that the statement is; 0: it is none. */
#define fault_of(...)                      \
	({                                 \
		code = 0;                  \
		is_awaited = true;         \
		if (!sigsetjmp(back, 1)) { \
			__VA_ARGS__;       \
		}                          \
		is_awaited = false;        \
		code;                      \
	})

__attribute__((noinline)) static int reads(const char *at)
{
	return fault_of(sink = *(const volatile char *)at);
}

__attribute__((noinline)) static int writes(char *at)
{
	return fault_of(*(volatile char *)at = 1);
}

/* The colour of the memory that a plain pointer leads to, as a pointer. */
static void *coloured(void *at)
{
#ifdef __aarch64__
	register void *x0 __asm__("x0") = at;

	__asm__ volatile(".inst 0xd9600000" : "+r"(x0) : : "memory"); /* ldg */
	return x0;
#else
	return at;
#endif
}

/* Looks at the colours of each page that there is at most so far from p. */
static void pages_look(char *p, size_t size)
{
	int fd = memfd_create("byte", MFD_CLOEXEC);
	char *first = (char *)((uintptr_t)plain(p) & -4096ul) - size;

	for (size_t i = 0; i < 2 * size; i += 4096)
		if (pwrite(fd, first + i, 1, 0) == 1)
			sink = colour_of(coloured(first + i));
	must(!close(fd));
}

#endif
