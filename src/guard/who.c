/* layer 4.11: who: the calling thread's id; contract in who.h */
#include "guard/who.h"

#include "base/atomic.h"
#include "system/place.h"
#include "system/sandbox.h"
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

/* 0: it may not be asked for. */
static uint32_t ask(int (*call)(void))
{
	uint32_t id;

	if (!sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return 0;
	id = (uint32_t)call();
	sandbox_rare_done();
	return id;
}

/* A handler that forks before the store leaves the child with its parent's
 * number: so it is asked again, after the store. */
static cold uint32_t pid_note(_Atomic(uint32_t) *pid)
{
	uint32_t value;

	do {
		value = ask(system_getpid);
		if (value)
			store_relaxed(pid, value); // hint: all store the same
	} while (value != ask(system_getpid));
	return value;
}

/* 0: nobody tells whether it is a child's. */
static uint32_t who_pid(void)
{
	_Atomic(uint32_t) *pid = (void *)(uintptr_t)load_relaxed(&page); // own
	uint32_t value;

	if (unlikely(!pid))
		return 0;
	value = load_relaxed(pid); // hint
	return likely(value) ? value : pid_note(pid);
}

void who_settle(void)
{
	who_pid();
}

int who_tid(void)
{
	uint32_t pid = who_pid(), tid;

	if (likely(pid && kept.pid == pid))
		return (int)kept.tid;
	tid = ask(system_gettid);
	if (tid) {
		kept.tid = tid;
		kept.pid = pid;
	}
	return (int)tid;
}

bool who_borrows_memory(void)
{
	uint32_t pid = who_pid(), now = pid ? ask(system_getpid) : 0;

	return now ? pid != now : sandbox_in_vfork();
}
