/* build: -Wno-sized-deallocation */
/* A C++ program with a plain new and delete of its own that has the library
 * linked in: its own are used, and the library's other forms lead to them. */
#define EXPECT_LINKED
#include <exception>
#include <new>

#include "expect.h"

static int nr_news, nr_deletes;

/* Blocks that no free() knows. */
void *operator new(size_t n)
{
	static char pool[1 << 16] __attribute__((aligned(16)));
	static size_t used;

	nr_news++;
	if (n > 1000)
		throw std::bad_alloc();
	used += (n + 15) & -(size_t)16;
	must(used < sizeof(pool));
	return opaque(pool + used - ((n + 15) & -(size_t)16));
}

void operator delete(void *) noexcept
{
	nr_deletes++;
}

int main()
{
	struct lanemalloc_stats stats;
	char *array = new char[opaque((size_t)100)];

	operator delete(operator new(100), (size_t)100);
	operator delete(operator new(100), std::nothrow);
	must(nr_news == 2 && nr_deletes == 2);
	operator delete(operator new(100, std::nothrow));
	must(nr_news == 3 && nr_deletes == 3);
	must(!operator new(opaque((size_t)2000), std::nothrow));
	must(nr_news == 4 && std::uncaught_exceptions() == 0);
	operator delete(operator new(100, std::align_val_t(64)),
			std::align_val_t(64));
	delete[] array;
	must(nr_news == 4 && nr_deletes == 3);
	free(malloc(100));
	must(lanemalloc_stats(&stats, sizeof(stats)) == sizeof(stats));
	must(stats.nr_foreign_frees == 2); /* those that went to the pool */
	return 0;
}
