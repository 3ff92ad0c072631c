/* modes: all no-qemu */
/* before main, in constructors, in TLS destructors, atexit, and after main */
#include "expect.h"

#define FIRST __attribute__((constructor(101)))
#define EARLY __attribute__((constructor))
#define LATE __attribute__((destructor))

static char *first[100], *early[100];
static bool say;

static void tell(const char *text)
{
	if (say)
		must(write(1, text, strlen(text)) == (ssize_t)strlen(text));
}

static void take(char **blocks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		blocks[i] = i % 2 ? malloc(i * i) : memalign(64, i * i);
		must(blocks[i]);
		pattern_fill(blocks[i], i * i, i);
	}
}

static void give(char **blocks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pattern_free(blocks[i], i * i, i);
}

static void take_and_give(const char *text)
{
	char *blocks[40];

	take(blocks, ARRAY_SIZE(blocks));
	give(blocks, ARRAY_SIZE(blocks));
	tell(text);
}

FIRST static void take_first(void)
{
	take(first, ARRAY_SIZE(first));
}

EARLY static void take_early(void)
{
	take(early, ARRAY_SIZE(early));
}

LATE static void give_late(void)
{
	give(first, ARRAY_SIZE(first));
	give(early, ARRAY_SIZE(early));
	take_and_give("after main\n");
}

TEST(test_constructors)
{
	for (size_t i = 0; i < ARRAY_SIZE(first); i++) {
		assert_true(pattern_holds(first[i], i * i, i));
		assert_true(pattern_holds(early[i], i * i, i));
	}
}

static pthread_key_t key;
static int nr_key_destructors, nr_cxa_destructors;
extern void *__dso_handle;
extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);

/* As the key asks: once more round, with a block from in here. */
static void key_destructor(void *block)
{
	take_and_give("key\n");
	pattern_free(block, 50, 3);
	if (__atomic_add_fetch(&nr_key_destructors, 1, __ATOMIC_RELAXED) % 2) {
		block = malloc(50);
		pattern_fill(block, 50, 3);
		pthread_setspecific(key, block);
	}
}

/* What C++ calls at the end of a thread_local object's life. */
static void cxa_destructor(void *block)
{
	take_and_give("thread_local\n");
	pattern_free(block, 60, 4);
	__atomic_add_fetch(&nr_cxa_destructors, 1, __ATOMIC_RELAXED);
}

static void *thread(void *arg)
{
	char *block = malloc(50), *local = malloc(60);

	pattern_fill(block, 50, 3);
	pattern_fill(local, 60, 4);
	pthread_setspecific(key, block);
	__cxa_thread_atexit_impl(cxa_destructor, local, &__dso_handle);
	return arg;
}

TEST(test_tls_destructors)
{
	for (int i = 0; i < 20; i++)
		thread_run(thread, NULL);
	assert_int_equal(nr_key_destructors, 2 * 20);
	assert_int_equal(nr_cxa_destructors, 20);
}

static void at_exit(void)
{
	take_and_give("atexit\n");
}

static void at_quick_exit_(void)
{
	take_and_give("at_quick_exit\n");
}

ROLE(return)
{
	char *local = malloc(60);

	say = true;
	pattern_fill(local, 60, 4);
	__cxa_thread_atexit_impl(cxa_destructor, local, &__dso_handle);
	atexit(at_exit);
	tell("main\n");
}

ROLE(quick_exit)
{
	say = true;
	at_quick_exit(at_quick_exit_);
	quick_exit(0);
}

/* The main thread ends before the last one does. */
static void *outlive(void *arg)
{
	pthread_join(*(pthread_t *)arg, NULL);
	take_and_give("last thread\n");
	return NULL;
}

ROLE(pthread_exit)
{
	static pthread_t self;
	char *block = malloc(50);
	pthread_t other;

	say = true;
	pattern_fill(block, 50, 3);
	self = pthread_self();
	must(!pthread_create(&other, NULL, outlive, &self));
	pthread_detach(other);
	pthread_setspecific(key, block);
	pthread_exit(NULL);
}

ROLE(nothing)
{
	take_and_give("");
}

static void check_role(const char *role, const char *out)
{
	role_runs(role, NULL);
	assert_string_equal(child.out, out);
}

TEST(test_end)
{
	check_role("return", "main\nthread_local\natexit\nafter main\n");
	check_role("quick_exit", "at_quick_exit\n");
	check_role("pthread_exit", "key\nkey\nlast thread\nafter main\n");
}

/* A library's constructor may run before lanemalloc's own. */
TEST(test_library_constructor)
{
	for (int i = 0; i < 2; i++) {
		role_with_plugin("nothing", "early", i);
		assert_string_equal(child.out, "constructor\ndestructor\n");
	}
}

int main(int argc, char **argv)
{
	have_lane();
	must(pthread_key_create(&key, key_destructor) == 0);
	return argc > 1 ? role_run(argv[1]) : tests_run(NULL, NULL);
}
