/* layer 4.5: memory: reads a stack, and whatever a bad frame points at;
 * contract in memory.h */
#include "sample/memory.h"

#include "base/bits.h"
#include "cpucache/percpu.h"
#include "system/peek.h"
#include "system/sandbox.h"
#include "system/system.h"

extern void *__libc_stack_end weak_import;

static __thread uintptr_t known_low, known_high; /* own */

/* In a sandbox the kernel is not asked: of another thread than the first the
 * thread pointer lies above the stack. */
static bool is_first_thread(uintptr_t sp)
{
	bool first;

	if (!sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return (uintptr_t)percpu_thread_pointer() < sp;
	first = system_gettid() == system_getpid();
	sandbox_rare_done();
	return first;
}

static uintptr_t stack_end(uintptr_t sp)
{
	if (!is_first_thread(sp))
		return (uintptr_t)percpu_thread_pointer();
	return &__libc_stack_end ? (uintptr_t)__libc_stack_end : 0;
}

/* Extends what is known, at the first look at a thread, or a deeper one than
 * before. */
static cold void known_extend(uintptr_t sp)
{
	uintptr_t low = round_down(sp, system_page_size());
	uintptr_t high = known_high ? known_high : stack_end(sp);
	uintptr_t end = known_high ? known_low : high;

	if (high - low > MEMORY_OWN_MOST || low >= end ||
	    !system_can_read((void *)low, end - low))
		return;
	known_low = low;
	__asm__ volatile("" ::: "memory"); /* a handler sees them in order */
	known_high = high;
}

void memory_open(struct memory *memory, uintptr_t sp)
{
	memory->sp = sp;
	memory->at = memory->end = 0;
	if (unlikely(sp - known_low >= known_high - known_low))
		known_extend(sp);
	memory->low = known_high ? known_low : 0;
	memory->high = known_high;
}

/* Returns the bytes that the window shows then, up to the end of their page. */
static size_t window_load(struct memory *memory, uintptr_t at)
{
	size_t page = system_page_size();
	size_t n = min_size(sizeof(memory->window), page - at % page);

	if (at - memory->sp >= MEMORY_OWN_MOST ||
	    !system_can_read((void *)at, n))
		return 0;
	__builtin_memcpy(memory->window, (void *)at, n);
	return n;
}

static void window_move(struct memory *memory, uintptr_t at)
{
	size_t n = system_peek(memory->window, (void *)at,
			       sizeof(memory->window));

	if (!n)
		n = window_load(memory, at);
	memory->at = at;
	memory->end = at + n;
}

static bool window_has(const struct memory *memory, uintptr_t at)
{
	return at >= memory->at && at <= memory->end &&
	       memory->end - at >= sizeof(uint64_t);
}

cold bool memory_read_slow(struct memory *memory, uintptr_t at, uint64_t *word)
{
	if (!window_has(memory, at))
		window_move(memory, at);
	if (!window_has(memory, at))
		return false;
	__builtin_memcpy(word, (char *)memory->window + (at - memory->at),
			 sizeof(*word));
	return true;
}
