/* modes: all valgrind */
/* build: -fsized-deallocation */
/* operator new and delete: all forms, new-handlers, exceptions, containers */
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include <unwind.h>

#include "expect.h"

static void *volatile sink;

#define TOO_LARGE opaque((size_t)PTRDIFF_MAX + 1)
#define ALIGN std::align_val_t(64)

static const std::align_val_t aligns[] = {
	std::align_val_t(1),   std::align_val_t(8),    std::align_val_t(16),
	std::align_val_t(32),  std::align_val_t(64),   std::align_val_t(512),
	std::align_val_t(4096), std::align_val_t(65536),
};

static void check_and_fill(void *p, size_t size, size_t align)
{
	check_block(p, align, size);
	memset(p, 0xa5, size);
}

/* Each new is ended by each delete that C++ pairs with it. */
static void check_plain(size_t n)
{
	void *p[8];

	for (int i = 0; i < 8; i++) {
		p[i] = i % 4 == 0 ? operator new(n) :
		       i % 4 == 1 ? operator new(n, std::nothrow) :
		       i % 4 == 2 ? operator new[](n) :
				    operator new[](n, std::nothrow);
		check_and_fill(p[i], n, 16);
	}
	operator delete(p[0]);
	operator delete(p[1], std::nothrow);
	operator delete[](p[2]);
	operator delete[](p[3], std::nothrow);
	operator delete(p[4], n);
	operator delete(p[5]);
	operator delete[](p[6], n);
	operator delete[](p[7]);
}

static void check_aligned(size_t n, std::align_val_t align)
{
	void *p[8];

	for (int i = 0; i < 8; i++) {
		p[i] = i % 4 == 0 ? operator new(n, align) :
		       i % 4 == 1 ? operator new(n, align, std::nothrow) :
		       i % 4 == 2 ? operator new[](n, align) :
				    operator new[](n, align, std::nothrow);
		check_and_fill(p[i], n, (size_t)align);
	}
	operator delete(p[0], align);
	operator delete(p[1], align, std::nothrow);
	operator delete[](p[2], align);
	operator delete[](p[3], align, std::nothrow);
	operator delete(p[4], n, align);
	operator delete(p[5], align);
	operator delete[](p[6], n, align);
	operator delete[](p[7], align);
}

TEST(test_all_forms)
{
	for (size_t n = 0; n < 200000; n += 1 + n / 8) {
		check_plain(n);
		for (std::align_val_t align : aligns)
			check_aligned(n, align);
	}
	operator delete(opaque((void *)nullptr));
	operator delete[](opaque((void *)nullptr), std::align_val_t(64));
}

TEST(test_zero_size_unique)
{
	char *a = new char[opaque((size_t)0)];
	void *b = operator new(opaque((size_t)0));
	void *c = operator new(opaque((size_t)0), std::align_val_t(64));

	assert_non_null(a);
	assert_ptr_not_equal(a, b);
	assert_ptr_not_equal(b, c);
	delete[] a;
	operator delete(b);
	operator delete(c, std::align_val_t(64));
}

template <class F> static bool throws_bad_alloc(F f)
{
	try {
		f();
	} catch (const std::bad_alloc &) {
		return true;
	}
	return false;
}

static void check_refused(size_t n)
{
	assert_true(throws_bad_alloc([=] { sink = operator new(n); }));
	assert_true(throws_bad_alloc([=] { sink = operator new[](n); }));
	assert_true(throws_bad_alloc([=] { sink = operator new(n, ALIGN); }));
	assert_true(throws_bad_alloc([=] { sink = operator new[](n, ALIGN); }));
	assert_null(operator new(n, std::nothrow));
	assert_null(operator new[](n, std::nothrow));
	assert_null(operator new(n, ALIGN, std::nothrow));
	assert_null(operator new[](n, ALIGN, std::nothrow));
}

TEST(test_too_large)
{
	check_refused(opaque((size_t)PTRDIFF_MAX));
	check_refused(TOO_LARGE);
	if (have_lane()) { /* libstdc++'s own lets the rounding overflow */
		check_refused(opaque(SIZE_MAX));
		check_refused(opaque(SIZE_MAX - 63));
	}
	check_refused(opaque((size_t)1 << 56));
	assert_true(throws_bad_alloc([] { std::string(TOO_LARGE / 4, 'x'); }));
}

static int nr_handler_calls;

static void handler_gives_up(void)
{
	if (++nr_handler_calls == 3)
		std::set_new_handler(nullptr);
}

struct own_exception : std::bad_alloc {
};

static void handler_throws(void)
{
	nr_handler_calls++;
	throw own_exception();
}

template <class F> static int handler_calls(F f)
{
	nr_handler_calls = 0;
	std::set_new_handler(handler_gives_up);
	f();
	assert_null(std::get_new_handler());
	return nr_handler_calls;
}

/* Every form asks the handler again and again until there is none. */
TEST(test_handler_loop)
{
	size_t n = TOO_LARGE;
	auto check = [](auto f) {
		assert_int_equal(3, handler_calls([=] {
			assert_true(throws_bad_alloc(f));
		}));
	};

	check([=] { sink = operator new(n); });
	check([=] { sink = operator new[](n); });
	check([=] { sink = operator new(n, ALIGN); });
	check([=] { sink = operator new[](n, ALIGN); });
	assert_int_equal(3, handler_calls([=] {
		assert_null(operator new(n, std::nothrow));
	}));
	assert_int_equal(3, handler_calls([=] {
		assert_null(operator new[](n, ALIGN, std::nothrow));
	}));
}

TEST(test_handler_throws)
{
	bool caught = false;

	nr_handler_calls = 0;
	std::set_new_handler(handler_throws);
	try {
		sink = operator new(TOO_LARGE);
	} catch (const own_exception &) {
		caught = true;
	}
	std::set_new_handler(nullptr);
	assert_true(caught);
	assert_int_equal(nr_handler_calls, 1);
}

/* The nothrow forms, as functions that the compiler does not know. */
typedef void *nothrow_form(size_t);

static nothrow_form *const nothrow_forms[] = {
	[](size_t n) { return operator new(n, std::nothrow); },
	[](size_t n) { return operator new[](n, std::nothrow); },
	[](size_t n) { return operator new(n, ALIGN, std::nothrow); },
	[](size_t n) { return operator new[](n, ALIGN, std::nothrow); },
};

/* Null, the handler having been asked once, and no exception left in flight. */
static void check_nothrow(std::new_handler handler, nothrow_form *form)
{
	int in_flight = std::uncaught_exceptions();

	nr_handler_calls = 0;
	std::set_new_handler(handler);
	assert_null(form(TOO_LARGE));
	std::set_new_handler(nullptr);
	assert_int_equal(nr_handler_calls, 1);
	assert_int_equal(std::uncaught_exceptions(), in_flight);
	assert_true(std::current_exception() == nullptr);
}

static int nr_alive;

struct large_exception {
	char text[3000];
	large_exception() { nr_alive++; }
	large_exception(const large_exception &) { nr_alive++; }
	~large_exception() { nr_alive--; }
};

static void handler_throws_large(void)
{
	nr_handler_calls++;
	throw large_exception();
}

static void handler_throws_number(void)
{
	nr_handler_calls++;
	throw 7;
}

static void end_foreign(_Unwind_Reason_Code, struct _Unwind_Exception *e)
{
	nr_alive--;
	free(e);
}

/* As another language does. */
static void handler_throws_foreign(void)
{
	struct _Unwind_Exception *e =
		(struct _Unwind_Exception *)calloc(1, sizeof(*e));

	nr_handler_calls++;
	nr_alive++;
	memcpy(&e->exception_class, "TESTLANG", 8);
	e->exception_cleanup = end_foreign;
	_Unwind_RaiseException(e);
	abort();
}

TEST(test_nothrow_handler_throws)
{
	for (nothrow_form *form : nothrow_forms) {
		check_nothrow(handler_throws, form);
		check_nothrow(handler_throws_large, form);
		check_nothrow(handler_throws_number, form);
		check_nothrow(handler_throws_foreign, form);
	}
	assert_int_equal(nr_alive, 0);
}

TEST_LANE(test_exceptions_freed)
{
	uint64_t before;

	check_nothrow(handler_throws_large, nothrow_forms[0]);
	before = stats_now().live_size;
	for (int i = 0; i < 5000; i++)
		check_nothrow(handler_throws_large, nothrow_forms[i % 4]);
	assert_int_equal(nr_alive, 0);
	assert_true(stats_now().live_size < before + 5 * MIB);
}

struct in_destructor {
	int *nr;
	~in_destructor()
	{
		for (nothrow_form *form : nothrow_forms)
			check_nothrow(handler_throws_large, form);
		++*nr;
	}
};

/* While another exception flies and inside a catch. */
TEST(test_nothrow_nested)
{
	int nr = 0;

	try {
		in_destructor guard = { &nr };

		throw 1;
	} catch (int) {
		nr++;
		std::set_new_handler(handler_throws_large);
		for (nothrow_form *form : nothrow_forms)
			assert_null(form(TOO_LARGE));
		std::set_new_handler(nullptr);
		assert_true(std::current_exception() != nullptr);
	}
	assert_int_equal(nr, 2);
	assert_int_equal(nr_alive, 0);
	assert_int_equal(std::uncaught_exceptions(), 0);
}

static void handler_ends_thread(void)
{
	nr_handler_calls++;
	pthread_exit(&nr_handler_calls);
}

/* Through a pointer that does not promise that nothing is thrown. */
static void *end_inside(void *)
{
	auto form = (void *(*)(size_t, const std::nothrow_t &))dlsym(
		RTLD_DEFAULT, "_ZnwmRKSt9nothrow_t");

	return opaque(form)(TOO_LARGE, std::nothrow);
}

/* What unwinds by force is no exception; libstdc++'s own ends the process. */
TEST_LANE(test_forced_unwind)
{
	pthread_t thread;
	void *result;

	nr_handler_calls = 0;
	std::set_new_handler(handler_ends_thread);
	must(!pthread_create(&thread, nullptr, end_inside, nullptr));
	must(!pthread_join(thread, &result));
	std::set_new_handler(nullptr);
	assert_ptr_equal(result, &nr_handler_calls);
	assert_int_equal(nr_handler_calls, 1);
}

/* Success never asks the handler. */
TEST(test_handler_unused)
{
	nr_handler_calls = 0;
	std::set_new_handler(handler_throws);
	for (size_t n = 1; n < 100000; n *= 3)
		operator delete(operator new(n));
	std::set_new_handler(nullptr);
	assert_int_equal(nr_handler_calls, 0);
}

/* The stack unwinds through frames that hold blocks. */
static void unwind(int depth, std::vector<std::string> seen)
{
	auto block = std::make_unique<char[]>((size_t)depth * 100 + 1);

	seen.push_back(std::string((size_t)depth + 20, 'd'));
	if (depth == 0)
		sink = operator new(TOO_LARGE);
	else
		unwind(depth - 1, seen);
}

TEST(test_unwinding)
{
	for (int i = 0; i < 20; i++)
		assert_true(throws_bad_alloc([] { unwind(30, {}); }));
}

static int nr_own_new, nr_own_delete;

struct own_operators {
	int x[10];
	static void *operator new(size_t n)
	{
		nr_own_new++;
		return malloc(n);
	}
	static void operator delete(void *p)
	{
		nr_own_delete++;
		free(p);
	}
};

struct alignas(256) over_aligned {
	char c[300];
};

TEST(test_classes)
{
	std::vector<over_aligned> many(50);

	delete new own_operators;
	assert_int_equal(nr_own_new, 1);
	assert_int_equal(nr_own_delete, 1);
	for (int i = 0; i < 100; i++) {
		std::unique_ptr<over_aligned> one(new over_aligned);
		std::shared_ptr<over_aligned> two =
			std::make_shared<over_aligned>();

		assert_true(is_aligned(one.get(), 256));
		assert_true(is_aligned(two.get(), 256));
		many.resize(many.size() + 7);
		assert_true(is_aligned(many.data(), 256));
	}
}

TEST(test_containers)
{
	std::map<std::string, std::vector<int>> ordered;
	std::unordered_map<int, std::string> hashed;

	for (int i = 0; i < 20000; i++) {
		ordered["key of some length " + std::to_string(i % 500)]
			.push_back(i);
		hashed[i % 3000] += 'x';
	}
	for (int i = 0; i < 500; i++) {
		auto &v = ordered["key of some length " + std::to_string(i)];

		assert_int_equal(v.size(), 40);
		assert_int_equal(v[39], 39 * 500 + i);
	}
	assert_int_equal(hashed[2999].size(), 6);
}

API_MAIN(NULL, NULL)
