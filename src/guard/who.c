/* layer 4.11: who: the calling thread's id; contract in who.h */
#include "guard/who.h"

#include "base/atomic.h"
#include "system/place.h"
#include "system/system.h"

static _Atomic(uint64_t) page; /* atomic: of the word below; 0: none */

static __thread struct {
	uint32_t pid, tid; /* own */
} kept;

void who_start(void)
{
	uint64_t found = load_relaxed(&page); // own: zeros, or a process's id
	void *mine;

	if (found)
		return;
	mine = place_map(system_page_size());
	if (!mine)
		return;
	if (system_wipe_on_fork(mine, system_page_size()) ||
	    !cas_relaxed(&page, &found, (uintptr_t)mine)) // own
		system_unmap(mine, system_page_size());
}

/* 0: nobody tells whether it is a child's. */
static uint32_t who_pid(void)
{
	_Atomic(uint32_t) *pid = (void *)(uintptr_t)load_relaxed(&page); // own
	uint32_t value;

	if (unlikely(!pid))
		return 0;
	value = load_relaxed(pid); // hint
	if (unlikely(!value)) {
		value = (uint32_t)system_getpid();
		store_relaxed(pid, value); // hint: all store the same
	}
	return value;
}

int who_tid(void)
{
	uint32_t pid = who_pid();

	if (unlikely(!pid || kept.pid != pid)) {
		kept.tid = (uint32_t)system_gettid();
		kept.pid = pid;
	}
	return (int)kept.tid;
}

bool who_borrows_memory(void)
{
	uint32_t pid = who_pid();

	return pid && pid != (uint32_t)system_getpid();
}
