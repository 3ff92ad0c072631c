/* cases: tests that list themselves, on top of cmocka
 *
 *	TEST(objects_are_distinct)
 *	{
 *		...
 *	}
 *	TEST(empty_slabs_go_back, fresh, done)	with setup and teardown
 *	{
 *		...
 *	}
 *	TEST_AGAIN(empty_slabs_go_back, busy, done)
 *	FIXTURE(done)				such a setup or teardown
 *	{
 *		...
 *	}
 *	TEST_WHERE(has_lanes(), pops)		skipped where it has none
 *
 *	TEST_MAIN(heap_setup, NULL)		around all of them
 *
 * They run in the order of their lines; those of TEST_FIRST() before all
 * others, for what needs a process that did nothing yet.
 */
#ifndef CASES_H
#define CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#include <cmocka.h>
#ifdef __cplusplus
}
#endif

#define CASES_MOST 64

struct test_case {
	int line;
	struct CMUnitTest test;
};

/* The linker's bounds of the list. */
#ifdef __cplusplus
extern "C" {
#endif
extern const struct test_case *__start_test_cases[], *__stop_test_cases[];
#ifdef __cplusplus
}
#endif

#define TEST_LIST(case, line, name, run, setup, teardown, ...)          \
	static const struct test_case case = {                          \
		line, { #name, run, setup, teardown, NULL }             \
	};                                                              \
	static const struct test_case *case##_listed                    \
		__attribute__((section("test_cases"), used)) = &case;
#define TEST_DEFINE(before, line, name, ...)                            \
	static void name(void);                                         \
	static void name##_run(void **state)                            \
	{                                                               \
		(void)state;                                            \
		before;                                                 \
		name();                                                 \
	}                                                               \
	TEST_LIST(name##_case, line, name, name##_run, __VA_ARGS__)     \
	static void name(void)
#define TEST(...) TEST_DEFINE(, __LINE__, __VA_ARGS__, NULL, NULL, NULL)
#define TEST_FIRST(...) TEST_DEFINE(, 0, __VA_ARGS__, NULL, NULL, NULL)
/* A test that is skipped where that is not so. */
#define TEST_WHERE(condition, ...)                                      \
	TEST_DEFINE(if (!(condition)) skip(), __LINE__, __VA_ARGS__,    \
		    NULL, NULL, NULL)
#define TEST_AGAIN(name, ...)                                           \
	TEST_LIST(name##_again, __LINE__, name, name##_run, __VA_ARGS__, \
		  NULL, NULL)

/* A setup or teardown that cannot fail but by its assertions. */
#define FIXTURE(name)                                                   \
	static void name##_body(void);                                  \
	__attribute__((unused)) static int name(void **state)           \
	{                                                               \
		(void)state;                                            \
		name##_body();                                          \
		return 0;                                               \
	}                                                               \
	static void name##_body(void)

static inline int tests_run(CMFixtureFunction setup,
			    CMFixtureFunction teardown)
{
	size_t n = (size_t)(__stop_test_cases - __start_test_cases), i, k;
	const struct test_case *list[CASES_MOST], *one;
	struct CMUnitTest tests[CASES_MOST];

	assert_true(n <= CASES_MOST);
	for (i = 0; i < n; i++) {
		one = __start_test_cases[i];
		for (k = i; k && list[k - 1]->line > one->line; k--)
			list[k] = list[k - 1];
		list[k] = one;
	}
	for (i = 0; i < n; i++)
		tests[i] = list[i]->test;
	return _cmocka_run_group_tests("tests", tests, n, setup, teardown);
}

#define TEST_MAIN(setup, teardown)                 \
	int main(void)                             \
	{                                          \
		return tests_run(setup, teardown); \
	}

#endif
