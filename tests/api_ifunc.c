/* modes: all no-qemu */
/* IFUNC resolvers that allocate, while libraries are still relocated */
#include "expect.h"

static void call_plugin(void *handle)
{
	int (*number)(void) = (int (*)(void))dlsym(handle, "ifunc_number");
	int (*by_pointer)(void) =
		(int (*)(void))dlsym(handle, "ifunc_number_by_pointer");
	char *(*block)(void) = (char *(*)(void))dlsym(handle, "ifunc_block");
	char *p;

	must(number && by_pointer && block);
	must(number() == 42 && by_pointer() == 42);
	p = block();
	must(p && is_aligned(p, 16));
	for (int i = 0; i < 100; i++)
		must(p[i] == i);
	p = realloc(p, 5000);
	must(p && p[99] == 99);
	free(p);
}

ROLE(preloaded)
{
	call_plugin(RTLD_DEFAULT);
	have_lane();
}

ROLE(opened)
{
	void *handle = dlopen(plugin_path("ifunc"), RTLD_NOW);

	must(handle);
	call_plugin(handle);
}

TEST(test_resolvers)
{
	role_passes("opened", NULL);
	role_with_plugin("preloaded", "ifunc", true);
	role_with_plugin("preloaded", "ifunc", false);
}

API_MAIN(NULL, NULL)
