/* modes: all */
/* operator new in a C program: without a C++ runtime, and with one that a
 * library brings along which was opened with RTLD_LOCAL */
#include "expect.h"

typedef void *new_nothrow(size_t size, const void *tag);
typedef void *new_aligned_nothrow(size_t size, size_t align, const void *tag);

TEST_LANE(test_without_runtime)
{
	new_nothrow *one;
	new_aligned_nothrow *aligned;

	*(void **)&one = dlsym(RTLD_DEFAULT, "_ZnwmRKSt9nothrow_t");
	*(void **)&aligned = dlsym(RTLD_DEFAULT,
				   "_ZnamSt11align_val_tRKSt9nothrow_t");
	assert_null(dlsym(RTLD_DEFAULT, "__gxx_personality_v0"));
	assert_null(one(PTRDIFF_MAX, NULL));
	assert_null(aligned(PTRDIFF_MAX, 64, NULL));
	free(one(100, NULL));
}

TEST(test_local_runtime)
{
	static const char *const names[] = { "throws_nothing",
					     "throws_its_own",
					     "throws_bad_alloc" };
	void *handle = dlopen(plugin_path("throws"), RTLD_NOW | RTLD_LOCAL);
	bool (*check)(size_t size);

	assert_non_null(handle);
	assert_null(dlsym(RTLD_DEFAULT, "__gxx_personality_v0"));
	for (size_t i = 0; i < 3 * ARRAY_SIZE(names); i++) {
		*(void **)&check = dlsym(handle, names[i % ARRAY_SIZE(names)]);
		assert_non_null(check);
		assert_true(check(PTRDIFF_MAX));
	}
}

TEST_MAIN(NULL, NULL)
