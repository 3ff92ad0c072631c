/* A library in C++ whose new-handler throws; for api_cxx_plugin.c */
#include <exception>
#include <new>

#include "expect.h"

struct own_exception : std::bad_alloc {
	char text[2000];
};

static void handler_throws(void)
{
	throw own_exception();
}

extern "C" bool throws_nothing(size_t n)
{
	const std::align_val_t align = std::align_val_t(64);
	bool null;

	std::set_new_handler(handler_throws);
	null = !operator new(opaque(n), std::nothrow) &&
	       !operator new[](opaque(n), std::nothrow) &&
	       !operator new(opaque(n), align, std::nothrow) &&
	       !operator new[](opaque(n), align, std::nothrow);
	std::set_new_handler(nullptr);
	return null && std::uncaught_exceptions() == 0;
}

extern "C" bool throws_its_own(size_t n)
{
	bool caught = false;

	std::set_new_handler(handler_throws);
	try {
		operator delete(operator new(opaque(n)));
	} catch (const own_exception &) {
		caught = true;
	}
	std::set_new_handler(nullptr);
	return caught && std::uncaught_exceptions() == 0;
}

extern "C" bool throws_bad_alloc(size_t n)
{
	try {
		operator delete(operator new(opaque(n)));
	} catch (const std::bad_alloc &) {
		return true;
	}
	return false;
}
