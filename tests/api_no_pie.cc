/* modes: all */
/* build: -fno-pie -no-pie */
/* an executable at a fixed address that takes the addresses of the library's
 * functions: the linker puts jumps of its own in their place, which are no
 * definitions of the program's */
#include <exception>
#include <new>

#include "expect.h"

#define TOO_LARGE opaque((size_t)PTRDIFF_MAX)

static void (*const taken_free)(void *) = free;
static void (*const taken_delete)(void *) = operator delete;
static void (*const taken_delete_array)(void *) = operator delete[];
static void *(*const taken_new)(size_t) = operator new;
static void *(*const taken_new_array)(size_t) = operator new[];

TEST_LANE(test_addresses_are_jumps)
{
	void *library;

	library = dlopen(library_path(), RTLD_NOW | RTLD_NOLOAD);
	assert_non_null(library);
	assert_ptr_not_equal(opaque(taken_free), dlsym(library, "free"));
	assert_ptr_not_equal(opaque(taken_new), dlsym(library, "_Znwm"));
}

TEST_LANE(test_foreign)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	auto libc_malloc = (void *(*)(size_t))dlsym(libc, "__libc_malloc");

	for (size_t n = 1; n < 4 * MIB; n *= 3) {
		operator delete(libc_malloc(n), n);
		operator delete[](libc_malloc(n), n);
		operator delete(libc_malloc(n), n, std::align_val_t(16));
		opaque(taken_delete)(libc_malloc(n));
		opaque(taken_delete_array)(libc_malloc(n));
		opaque(taken_free)(libc_malloc(n));
	}
}

static void handler_throws(void)
{
	throw 1;
}

TEST(test_nothrow)
{
	assert_null(operator new(TOO_LARGE, std::nothrow));
	std::set_new_handler(handler_throws);
	assert_null(operator new(TOO_LARGE, std::nothrow));
	assert_null(operator new[](TOO_LARGE, std::nothrow));
	std::set_new_handler(nullptr);
	assert_int_equal(std::uncaught_exceptions(), 0);
	operator delete(opaque(operator new(100, std::nothrow)), (size_t)100);
	operator delete(opaque(taken_new)(100));
	operator delete[](opaque(taken_new_array)(100));
}

API_MAIN(NULL, NULL)
