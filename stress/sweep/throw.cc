/* throw: the part of the load that needs a C++ runtime; loaded where a
 * scenario wants one */
#include <cstddef>
#include <cstdint>
#include <new>

static int handler_calls;

static void handler()
{
	if (++handler_calls % 3 == 0)
		std::set_new_handler(nullptr);
}

static void handler_throws()
{
	throw std::bad_alloc();
}

extern "C" void throws()
{
	void *volatile at;

	std::set_new_handler(handler);
	at = ::operator new(SIZE_MAX / 3, std::nothrow);
	try {
		at = ::operator new(SIZE_MAX / 3);
	} catch (const std::bad_alloc &) {
		at = nullptr;
	}
	std::set_new_handler(handler_throws);
	at = ::operator new(SIZE_MAX / 3, std::nothrow);
	(void)at;
}
