/* modes: all no-qemu */
/* free of what no malloc made: libc, to which it is handed, aborts; where libc
 * has no free of its own, the library does */
#include "expect.h"

#include <sys/resource.h>

static char data[4096] __attribute__((aligned(64)));

static void role_static(void)
{
	free(opaque(data + 1024));
}

static void role_stack(void)
{
	char stack[4096] __attribute__((aligned(64)));

	memset(stack, 0, sizeof(stack));
	free(opaque(stack + 1024));
}

static void role_mapped(void)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	free(opaque(p + 1024));
}

static void role_misaligned(void)
{
	free(opaque(data + 1027));
}

static const struct role roles[] = {
	{ "static", role_static },
	{ "stack", role_stack },
	{ "mapped", role_mapped },
	{ "misaligned", role_misaligned },
};

static void no_core(void)
{
	struct rlimit none = { 0, 0 };

	must(setrlimit(RLIMIT_CORE, &none) == 0);
}

TEST(test_foreign)
{
	static struct child child = { .prepare = no_core };

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		child.role = roles[i].name;
		child_run(&child);
		assert_true(WIFSIGNALED(child.status));
		assert_int_equal(WTERMSIG(child.status), SIGABRT);
		assert_non_null(strstr(child.err, "free"));
	}
}

int main(int argc, char **argv)
{
	have_lane();
	if (argc > 1)
		return role_run(roles, argv[1]);
	return tests_run(NULL, NULL);
}
