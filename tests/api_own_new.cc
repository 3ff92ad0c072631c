/* modes: all */
/* build: -Wno-sized-deallocation -rdynamic */
/* a program with operators new and delete of its own, which are no malloc:
 * what it left out of them leads to them */
#include <exception>
#include <new>

#include "expect.h"

#define TOO_LARGE opaque((size_t)PTRDIFF_MAX)

struct own {
	int news, deletes, news_array, deletes_array;
	int news_aligned, deletes_aligned;
};

static struct own nr;
static int nr_pool_used;

/* Blocks that no free() knows. */
static void *pool_take(size_t size, size_t align)
{
	static char pool[1 << 20] __attribute__((aligned(4096)));
	static size_t used;

	if (size > sizeof(pool) / 2)
		throw std::bad_alloc();
	used = (used + align - 1) & -align;
	must(used + size <= sizeof(pool));
	used += size;
	nr_pool_used++;
	return opaque(pool + used - size);
}

static void pool_give(void *p)
{
	nr_pool_used -= p != nullptr;
}

void *operator new(size_t n)
{
	nr.news++;
	return pool_take(n, 16);
}

void *operator new[](size_t n)
{
	nr.news_array++;
	return pool_take(n, 16);
}

void *operator new(size_t n, std::align_val_t align)
{
	nr.news_aligned++;
	return pool_take(n, (size_t)align);
}

void operator delete(void *p) noexcept
{
	nr.deletes++;
	pool_give(p);
}

void operator delete[](void *p) noexcept
{
	nr.deletes_array++;
	pool_give(p);
}

void operator delete(void *p, std::align_val_t) noexcept
{
	nr.deletes_aligned++;
	pool_give(p);
}

TEST(test_one)
{
	nr = {};
	operator delete(operator new(100), (size_t)100);
	operator delete(operator new(100), std::nothrow);
	assert_int_equal(nr.deletes, 2);
	operator delete(operator new(100, std::nothrow));
	assert_int_equal(nr.news, 3);
	assert_null(operator new(TOO_LARGE, std::nothrow));
	assert_int_equal(nr.news, 4);
	assert_int_equal(nr_pool_used, 0);
}

TEST(test_array)
{
	nr = {};
	operator delete[](operator new[](100), (size_t)100);
	operator delete[](operator new[](100), std::nothrow);
	assert_int_equal(nr.deletes_array, 2);
	operator delete[](operator new[](100, std::nothrow));
	assert_int_equal(nr.news_array, 3);
	assert_null(operator new[](TOO_LARGE, std::nothrow));
	assert_int_equal(nr.news + nr.deletes, 0);
	assert_int_equal(nr_pool_used, 0);
}

TEST(test_aligned)
{
	const std::align_val_t align = std::align_val_t(64);

	nr = {};
	operator delete(operator new(100, align), (size_t)100, align);
	operator delete(operator new(100, align), align, std::nothrow);
	assert_int_equal(nr.deletes_aligned, 2);
	operator delete(operator new(100, align, std::nothrow), align);
	assert_int_equal(nr.news_aligned, 3);
	assert_null(operator new(TOO_LARGE, align, std::nothrow));
	assert_int_equal(nr.news + nr.deletes, 0);
	assert_int_equal(nr_pool_used, 0);
}

/* The aligned array's forms are all the library's. */
TEST(test_left_out)
{
	const std::align_val_t align = std::align_val_t(64);

	operator delete[](operator new[](100, align), (size_t)100, align);
	operator delete[](operator new[](100, align, std::nothrow), align);
	assert_int_equal(nr_pool_used, 0);
	assert_int_equal(std::uncaught_exceptions(), 0);
}

API_MAIN(NULL, NULL)
