/* modes: all no-qemu */
/* free of what no malloc made: libc, to which it is handed, aborts; where libc
 * has no free of its own, the library does */
#include "expect.h"

static char data[4096] __attribute__((aligned(64)));

ROLE(static)
{
	free(opaque(data + 1024));
}

ROLE(stack)
{
	char stack[4096] __attribute__((aligned(64)));

	memset(stack, 0, sizeof(stack));
	free(opaque(stack + 1024));
}

ROLE(mapped)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	free(opaque(p + 1024));
}

ROLE(misaligned)
{
	free(opaque(data + 1027));
}

TEST(test_foreign)
{
	static const char *const roles[] = { "static", "stack", "mapped",
					     "misaligned" };

	child.prepare = no_core;
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		role_ends(roles[i], NULL);
		assert_true(WIFSIGNALED(child.status));
		assert_int_equal(WTERMSIG(child.status), SIGABRT);
		assert_non_null(strstr(child.err, "free"));
	}
}

API_MAIN(NULL, NULL)
