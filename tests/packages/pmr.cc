/* std::pmr on lanemalloc/memory_resource.hpp, over this malloc.
 *
 * With an argument: over whichever malloc there is; the library's own
 * statistics are left alone then.
 */
#include <lanemalloc/memory_resource.hpp>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "lanemalloc.h"

extern "C" const char *lanemalloc_version(void) __attribute__((weak));
extern "C" size_t lanemalloc_stats(struct lanemalloc_stats *, size_t)
	__attribute__((weak));

static int nr_failed;

#define expect(what)                                                           \
	do {                                                                   \
		if (!(what)) {                                                 \
			std::printf("%s:%d: %s\n", __FILE__, __LINE__, #what); \
			nr_failed++;                                           \
		}                                                              \
	} while (0)

static std::uint64_t live_size()
{
	struct lanemalloc_stats stats;

	lanemalloc_stats(&stats, sizeof(stats));
	return stats.live_size;
}

// Every size that matters to a class, each alignment up to a page and beyond.
static void each_block_is_aligned_and_whole()
{
	for (std::size_t align = 1; align <= 1 << 14; align *= 2)
		for (std::size_t size = 0; size <= 5000; size += 61) {
			void *p = lanemalloc::resource()->allocate(size, align);

			auto address = reinterpret_cast<std::uintptr_t>(p);

			expect(address % align == 0);
			std::memset(p, 0xa5, size);
			lanemalloc::resource()->deallocate(p, size, align);
		}
}

static void blocks_are_counted_by_the_library()
{
	constexpr std::size_t size = 3 << 20;
	std::uint64_t before = live_size();
	void *p = lanemalloc::resource()->allocate(size, 64);

	expect(live_size() >= before + size);
	lanemalloc::resource()->deallocate(p, size, 64);
	expect(live_size() < before + size);
}

static void too_much_throws()
{
	bool thrown = false;

	try {
		(void)lanemalloc::resource()->allocate(SIZE_MAX / 2, 8);
	} catch (const std::bad_alloc &) {
		thrown = true;
	}
	expect(thrown);
}

static void containers_work_in_threads()
{
	std::vector<std::thread> threads;

	for (int t = 0; t < 4; t++)
		threads.emplace_back([] {
			std::pmr::map<int, std::pmr::string> m(
				lanemalloc::resource());

			for (int i = 0; i < 2000; i++)
				m[i] = "a string that is too long for itself";
			expect(m[1999].get_allocator().resource() ==
			       lanemalloc::resource());
		});
	for (auto &t : threads)
		t.join();
}

int main(int argc, char **)
{
	each_block_is_aligned_and_whole();
	too_much_throws();
	containers_work_in_threads();
	expect(lanemalloc::resource()->is_equal(*lanemalloc::resource()));
	expect(!lanemalloc::resource()->is_equal(
		*std::pmr::new_delete_resource()));
	if (argc == 1) {
		expect(lanemalloc_version != nullptr);
		if (lanemalloc_stats)
			blocks_are_counted_by_the_library();
	}
	return nr_failed != 0;
}
