/* layer 4.8: stack: the stack of who allocates is kept; see stack.h */
#include "sample/stack.h"

#include "base/atomic.h"
#include "sample/fde.h"
#include "sample/memo.h"
#include "sample/trace.h"
#include "sample/unwind.h"
#include "system/environ.h"

#define ENTRY_POINT 9 /* AT_ENTRY */

/* const: our code, once it can be found; all who look store the same */
static _Atomic(uint64_t) own_begin, own_end;

/* The program's own code is not cut off where the library is a part of it. */
static void own_find(void)
{
	uint64_t begin, end, entry = getauxval ? getauxval(ENTRY_POINT) : 0;

	if (!fde_object((uintptr_t)&sample_stack_keep, &begin, &end) ||
	    entry - begin < end - begin)
		return;
	store_relaxed(&own_begin, begin); // before publish
	// [sampler.own] with own_calls(): where our code begins
	store_release(&own_end, end);
}

/* Counts the return addresses at the stack's beginning that are ours. */
static unsigned own_calls(const uint64_t *pcs, unsigned n)
{
	// [sampler.own] with own_find(): where our code begins
	uint64_t begin, end = load_acquire(&own_end);
	unsigned own = 0;

	if (unlikely(!end)) {
		own_find();
		end = load_relaxed(&own_end); // own: just stored, or 0
	}
	begin = load_relaxed(&own_begin); // const
	while (own < n && pcs[own] - begin < end - begin)
		own++;
	return own;
}

static __attribute__((noinline)) uint32_t
stack_walk(struct frame *frame, struct memory *memory, uint64_t caller)
{
	uint64_t pcs[UNWIND_MOST];
	struct memo_notes notes;
	unsigned n = unwind_callers(frame, memory, pcs, UNWIND_MOST, &notes);
	unsigned own = own_calls(pcs, n);
	uint32_t stack = trace_intern(pcs + own, n - own);

	memo_keep(&notes, own, caller, stack);
	return stack;
}

/* Its frame is where each walk begins. */
__attribute__((noinline)) uint32_t sample_stack_keep(void)
{
	uint64_t caller = (uintptr_t)__builtin_return_address(0);
	struct memory memory;
	struct frame frame;
	uint32_t stack;

	frame_here(&frame);
	memory_open(&memory, frame.r[FRAME_SP]);
	stack = memo_find(&frame, &memory, caller);
	return likely(stack) ? stack : stack_walk(&frame, &memory, caller);
}
