/* layer 5.3: refusal: requests that the hard limit refuses are told; contract
 * in refusal.h */
#include "front/refusal.h"

#include "base/bits.h"
#include "base/word.h"
#include "pageheap/account.h"
#include "pageheap/limit.h"
#include "system/config.h"
#include "system/report.h"
#include "system/sandbox.h"
#include "system/system.h"

#define TOLD_SECONDS 60 /* between two lines about refusals */

static _Atomic(uint64_t) nr_requests_refused; /* counter: requests */

/* The last line about a refusal: of which process, and when. */
struct told {
	uint32_t pid;
	uint32_t seconds;
};
WORD(told, uint64_t);
static _Atomic(uint64_t) last_told;   /* atomic: struct told */
static _Atomic(uint64_t) stderr_file; /* hint: as a limit was set */

void stderr_note(uint64_t hard)
{
	if (!hard || !config.limit_report ||
	    !sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return;
	store_relaxed(&stderr_file, system_stderr_file());
	sandbox_rare_done();
}

/* The child of a fork has its parent's word, and a line of its own to say. */
static bool refusal_elect(uint32_t pid)
{
	uint32_t now = (uint32_t)(system_now_ms() / 1000);
	uint64_t word = load_relaxed(&last_told); // own: one word
	struct told last = told_unpack(word);

	if (last.pid == pid && now - last.seconds < TOLD_SECONDS)
		return false;
	last = (struct told){ pid, now };
	return cas_relaxed(&last_told, &word, told_pack(last)); // own
}

/* Whether it is still what the operator reads, or a log that took its place. */
static bool stderr_is_sound(void)
{
	return system_stderr_takes() &&
	       (system_stderr_appends() ||
		system_stderr_file() == load_relaxed(&stderr_file));
}

/* A vfork child's id in the word would make its parent tell once more. */
static void refusal_tell(size_t size, uint64_t nr)
{
	int pid = system_getpid();

	if (sandbox_in_vfork() || !stderr_is_sound() ||
	    !refusal_elect((uint32_t)pid))
		return;
	report_line("pid %d: limit_hard=%lu refuses a request of %zu bytes; "
		    "requests refused since start: %lu",
		    pid, load_relaxed(&limit.hard_size), // own: one word
		    size, nr);
}

/* Whether it is the limit that has no room for such a block, guard page or
 * footer and all. */
static bool limit_is_in_the_way(size_t size)
{
	size_t nr = div_up(size + system_page_size(), UNIT_SIZE);

	return !budget_has_room((uint32_t)min_size(nr, LIMIT_NO_UNITS / 2));
}

cold void pressure_refused(size_t size)
{
	uint64_t nr;

	if (!limit_is_in_the_way(size))
		return;
	nr = add_relaxed(&nr_requests_refused, 1) + 1;
	if (!config.limit_report || !sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return;
	refusal_tell(size, nr);
	sandbox_rare_done();
}
