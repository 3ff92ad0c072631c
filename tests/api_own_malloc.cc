/* modes: all */
/* build: -fno-builtin -Wno-sized-deallocation -rdynamic */
/* a program with a malloc, a new and a plain delete of its own, as firefox-esr
 * is one: what it left out is the library's, and gives its blocks back to it;
 * and one whose functions lean on the next ones (RTLD_NEXT) */
#include <new>

#include "expect.h"

#define OWN_SIZE ((size_t)64 << 20)

static char own_heap[OWN_SIZE] __attribute__((aligned(4096)));
static size_t own_used;
static int nr_own_frees;
static void (*next_free)(void *); /* not NULL: free() is a wrapper of it */
static int nr_depth_most, depth;

static bool is_own(const void *p)
{
	const char *at = (const char *)p;

	return at >= own_heap && at < own_heap + OWN_SIZE;
}

extern "C" {

void *memalign(size_t align, size_t size) noexcept
{
	size_t least = align < 16 ? 16 : align;
	size_t at = __atomic_fetch_add(&own_used, size + least + 16,
				       __ATOMIC_RELAXED);
	uintptr_t end = (uintptr_t)own_heap + at + 16 + least - 1;
	char *p = (char *)(end & -least);

	must(is_own(p + size));
	((size_t *)p)[-1] = size;
	return p;
}

void *malloc(size_t size) noexcept
{
	return memalign(16, size);
}

void free(void *p) noexcept
{
	depth++;
	nr_depth_most = depth > nr_depth_most ? depth : nr_depth_most;
	must(!p || next_free || is_own(p));
	if (next_free)
		next_free(p);
	else if (p)
		nr_own_frees++;
	depth--;
}

void *calloc(size_t nr, size_t size) noexcept
{
	return memset(malloc(nr * size), 0, nr * size);
}

void *realloc(void *p, size_t size) noexcept
{
	char *q = (char *)malloc(size);
	size_t old = p ? ((size_t *)p)[-1] : 0;

	memcpy(q, p ? p : q, old < size ? old : size);
	return q;
}

void *aligned_alloc(size_t align, size_t size) noexcept
{
	return memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size) noexcept
{
	*out = memalign(align, size);
	return 0;
}

size_t malloc_usable_size(void *p) noexcept
{
	return ((size_t *)p)[-1];
}

} /* extern "C" */

void *operator new(size_t n)
{
	return malloc(n);
}

void *operator new[](size_t n)
{
	return malloc(n);
}

void operator delete(void *p) noexcept
{
	free(p);
}

void operator delete[](void *p) noexcept
{
	free(p);
}

/* Each delete that the program does not define, with a block of its own. */
typedef void delete_form(void *p);

static delete_form *const deletes[] = {
	[](void *p) { operator delete(p, (size_t)100); },
	[](void *p) { operator delete[](p, (size_t)100); },
	[](void *p) { operator delete(p, std::nothrow); },
	[](void *p) { operator delete[](p, std::nothrow); },
	[](void *p) { operator delete(p, std::align_val_t(64)); },
	[](void *p) { operator delete[](p, std::align_val_t(64)); },
	[](void *p) { operator delete(p, 100, std::align_val_t(64)); },
	[](void *p) { operator delete[](p, 100, std::align_val_t(64)); },
	[](void *p) {
		operator delete(p, std::align_val_t(64), std::nothrow);
	},
	[](void *p) {
		operator delete[](p, std::align_val_t(64), std::nothrow);
	},
};

TEST(test_deletes)
{
	for (delete_form *form : deletes) {
		nr_own_frees = 0;
		form(memalign(64, 100));
		assert_int_equal(nr_own_frees, 1);
		form(nullptr);
		assert_int_equal(nr_own_frees, 1);
	}
}

/* By name, since libc may lack them. */
TEST_LANE(test_sized_frees)
{
	auto sized = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT,
						     "free_sized");
	auto aligned = (void (*)(void *, size_t, size_t))dlsym(
		RTLD_DEFAULT, "free_aligned_sized");

	nr_own_frees = 0;
	sized(malloc(100), 100);
	aligned(memalign(64, 100), 64, 100);
	assert_int_equal(nr_own_frees, 2);
}

/* Forms of new that the program does not define but are made of its own. */
TEST(test_nothrow_new)
{
	void *p = operator new(opaque((size_t)100), std::nothrow);
	void *q = operator new[](opaque((size_t)100), std::nothrow);

	assert_true(is_own(p) && is_own(q));
	operator delete(p);
	operator delete[](q);
}

struct object {
	int numbers[25];
	virtual ~object() {}
};

struct alignas(256) aligned_object {
	char bytes[300];
	~aligned_object() { opaque(0); }
};

TEST(test_objects)
{
	for (int i = 0; i < 1000; i++) {
		delete opaque(new object);
		delete opaque(new aligned_object);
		delete[] opaque(new object[3]);
		delete[] opaque(new aligned_object[3]);
	}
}

/* A program's free that asks the library's for all that is not its own: each
 * foreign block meets it once, and then libc. */
TEST_LANE(test_wrapper)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	auto libc_malloc = (void *(*)(size_t))dlsym(libc, "__libc_malloc");
	uint64_t before;

	before = stats_now().nr_foreign_frees;
	next_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
	nr_depth_most = 0;
	for (delete_form *form : deletes)
		form(libc_malloc(100));
	free(libc_malloc(100));
	next_free = nullptr;
	assert_int_equal(nr_depth_most, 1);
	assert_true(stats_now().nr_foreign_frees > before);
}

API_MAIN(NULL, NULL)
