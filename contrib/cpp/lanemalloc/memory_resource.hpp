/* lanemalloc for std::pmr: a memory_resource on the library's own names
 *
 *	#include <lanemalloc/memory_resource.hpp>
 *	std::pmr::vector<int> v(lanemalloc::resource());
 *
 * What it adds to std::pmr::new_delete_resource(): a program's replaced
 * operator new is not asked, and size and alignment go back with each block,
 * which free_sized and free_aligned_sized check against the block's class in
 * the modes that check.
 *
 * Contract: the program is linked with lanemalloc or preloads it; over any
 * other malloc the header works too where that has free_sized (it is weak
 * here, and free is called instead). One object, without state, equal to itself
 * alone, alive for ever: containers with static storage may use it in their
 * destructors. A request that cannot be met throws std::bad_alloc, as
 * std::pmr demands; the new-handler is not called. No call waits.
 */
#ifndef LANEMALLOC_MEMORY_RESOURCE_HPP
#define LANEMALLOC_MEMORY_RESOURCE_HPP

#include <cstddef>
#include <cstdlib>
#include <memory_resource>
#include <new>

namespace lanemalloc
{

/* By their names in the object file: a libc that declares them itself may
 * declare them otherwise. */
extern "C" {
void sized_free(void *block, std::size_t size) __asm__("free_sized")
	__attribute__((weak));
void sized_aligned_free(void *block, std::size_t alignment, std::size_t size)
	__asm__("free_aligned_sized") __attribute__((weak));
}

class memory_resource final : public std::pmr::memory_resource
{
	// What malloc promises without being asked.
	static bool is_ordinary(std::size_t size, std::size_t alignment)
	{
		return alignment <= alignof(std::max_align_t) &&
		       alignment <= size;
	}

	void *do_allocate(std::size_t size, std::size_t alignment) override
	{
		void *block = is_ordinary(size, alignment)
				      ? std::malloc(size)
				      : ::aligned_alloc(alignment, size);

		if (!block)
			throw std::bad_alloc();
		return block;
	}

	void do_deallocate(void *block, std::size_t size,
			   std::size_t alignment) override
	{
		if (!sized_free || !sized_aligned_free)
			std::free(block);
		else if (is_ordinary(size, alignment))
			sized_free(block, size);
		else
			sized_aligned_free(block, alignment, size);
	}

	bool do_is_equal(const std::pmr::memory_resource &other) const noexcept
		override
	{
		return this == &other;
	}
};

/* Built by the compiler, so that constructors and threads that run early find
 * it ready and resource() has no guard to wait for; the destructor that runs
 * at exit does nothing, so that those that run late find it still there. */
union forever {
	memory_resource resource;
	constexpr forever() : resource()
	{
	}
	~forever()
	{
	}
};
inline forever the_resource;

inline memory_resource *resource() noexcept
{
	return &the_resource.resource;
}

} // namespace lanemalloc

#endif
