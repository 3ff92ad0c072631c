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

static void role_preloaded(void)
{
	call_plugin(RTLD_DEFAULT);
	have_lane();
}

static void role_opened(void)
{
	void *handle = dlopen(plugin_path("ifunc"), RTLD_NOW);

	must(handle);
	call_plugin(handle);
}

static const struct role roles[] = {
	{ "preloaded", role_preloaded },
	{ "opened", role_opened },
};

static bool plugin_first;

static void preload_plugin(void)
{
	const char *library = getenv("LD_PRELOAD");
	const char *plugin = plugin_path("ifunc");
	char text[2 * PATH_MAX];

	if (!library)
		snprintf(text, sizeof(text), "%s", plugin);
	else
		snprintf(text, sizeof(text), "%s:%s",
			 plugin_first ? plugin : library,
			 plugin_first ? library : plugin);
	setenv("LD_PRELOAD", text, 1);
}

static void check_role(const char *role, void (*prepare)(void))
{
	static struct child child;

	child.role = role;
	child.prepare = prepare;
	child_run(&child);
	assert_true(child_succeeded(&child));
	assert_string_equal(child.err, "");
}

TEST(test_opened)
{
	check_role("opened", NULL);
}

TEST(test_preloaded_before)
{
	plugin_first = true;
	check_role("preloaded", preload_plugin);
}

TEST(test_preloaded_behind)
{
	plugin_first = false;
	check_role("preloaded", preload_plugin);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return role_run(roles, argv[1]);
	have_lane();
	return tests_run(NULL, NULL);
}
