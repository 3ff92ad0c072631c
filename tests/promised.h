/* promised: tests of blocks so large that the kernel of a small machine does
 * not promise them (overcommit_memory); there they are skipped. */
#ifndef PROMISED_H
#define PROMISED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <cmocka.h>

static inline void need_promise(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		skip();
	munmap(at, size);
}

#endif
