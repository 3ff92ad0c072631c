/* layer 1.1: sandbox: its words; what they mean is in sandbox.h */
#include "system/sandbox.h"

#include <sys/syscall.h>
#include <time.h>

#include "system/syscall.h"

#define RARE_LOOKS (1 << 18) /* some 0.1 to 0.4 ms */
#ifndef RARE_NAPS	     /* tests wait longer */
#define RARE_NAPS 500	     /* of 1 ms */
#endif

_Atomic(uint64_t) sandbox_word;
static _Atomic(uint32_t) nr_rare; /* atomic: rare calls under way */

/* Of a thread, and of the vfork child that runs in its place. */
static __thread struct {
	uint32_t nr_vforks; /* own: that have begun and not ended */
	int pid;	    /* own: before the first of them; 0: unknown */
	_Atomic(uint64_t) entered; /* own: the child's part of the word */
} vforking;

/* Rare calls */

/* Not below 0: it may have been given up (rare_await()). */
void sandbox_rare_done(void)
{
	uint32_t nr = load_relaxed(&nr_rare); // counter

	// [sandbox.rare] with rare_look(): the call is over
	while (nr && !cas_seq(&nr_rare, &nr, nr - 1))
		;
}

bool sandbox_try_rare(enum sandbox_whose whose)
{
	if (sandbox_forbids(load_relaxed(&sandbox_word), whose)) // hint
		return false;
	// [sandbox.rare] with rare_look(): nr_rare, then the word
	add_seq(&nr_rare, 1);
	// [sandbox.word] with sandbox_begin(): nr_rare, then the word
	if (likely(!sandbox_forbids(load_seq(&sandbox_word), whose)))
		return true;
	sandbox_rare_done();
	return false;
}

/* Asks for the process id; 0: it may not be asked for. */
static int process_id(void)
{
	int pid;

	if (!sandbox_try_rare(SANDBOX_OF_PROCESS))
		return 0;
	pid = (int)call_0(SYS_getpid);
	sandbox_rare_done();
	return pid;
}

static uint32_t rare_look(void)
{
	// [sandbox.rare] with sandbox_try_rare(): the word, then nr_rare
	uint32_t nr = load_seq(&nr_rare);
	unsigned i;

	for (i = 0; nr && i < RARE_LOOKS; i++)
		// [sandbox.rare] with sandbox_rare_done(): the call is over
		nr = load_seq(&nr_rare);
	return nr;
}

/* Naps: a rare call itself, not made beside another who enters. */
static void rare_nap(void)
{
	struct timespec time = { 0, 1000000 };
	struct sandbox_word w;

	// [sandbox.rare] with rare_look(): nr_rare, then the word
	add_seq(&nr_rare, 1);
	// [sandbox.word] with sandbox_begin(): nr_rare, then the word
	w = sandbox_word_unpack(load_seq(&sandbox_word));
	if (w.nr_calls == 1 && !w.filter && !w.strict)
		call_3(SYS_ppoll, 0, 0, &time);
	sandbox_rare_done();
}

static void rare_await(void)
{
	uint32_t nr = rare_look();
	unsigned i;

	for (i = 0; unlikely(nr) && i < RARE_NAPS; i++) {
		rare_nap();
		nr = rare_look();
	}
	if (unlikely(nr))
		cas_relaxed(&nr_rare, &nr, 0); // counter
}

/* Sandboxes */

/* Behind a filter the process id is not asked for: what entered is a child. Nor
 * beside another's call that may enter: then the process counts as entering,
 * for good, which forbids more. */
static bool is_vfork_child(void)
{
	int pid;

	if (!vforking.nr_vforks)
		return false;
	if (sandbox_child_entered() || !vforking.pid)
		return true;
	pid = process_id();
	return pid && pid != vforking.pid;
}

bool sandbox_child_entered(void)
{
	return load_relaxed(&vforking.entered); // own
}

bool sandbox_strict_here(void)
{
	uint64_t word = load_relaxed(&sandbox_word); // hint

	return unlikely(sandbox_word_unpack(word).strict) ||
	       load_relaxed(&vforking.entered) & SANDBOX_CHILD_STRICT; // own
}

bool sandbox_in_vfork(void)
{
	return vforking.nr_vforks;
}

/* Marks the child, once; the count first: who dies in between leaves it. */
static void child_mark(uint64_t one)
{
	add_relaxed(&sandbox_word, one); // own: before the call that enters
	if (or_relaxed(&vforking.entered, one) & one) // own
		sub_relaxed(&sandbox_word, one);      // counter
}

void sandbox_begin(void)
{
	if (unlikely(is_vfork_child())) {
		child_mark(SANDBOX_CHILD);
		return;
	}
	// [sandbox.word] with sandbox_try_rare(): the word, then nr_rare
	add_seq(&sandbox_word, SANDBOX_CALL);
	rare_await();
}

void sandbox_end(uint64_t kind)
{
	if (unlikely(sandbox_child_entered())) {
		if (kind == SANDBOX_STRICT)
			child_mark(SANDBOX_CHILD_STRICT);
		return;
	}
	or_relaxed(&sandbox_word, kind); // own: before the count goes
	// [sandbox.word] with gate_settle(): the word, then the debt
	sub_seq(&sandbox_word, SANDBOX_CALL);
}

/* vfork */

/* In a sandbox of the process's nobody needs to know the child. */
void sandbox_vfork_begin(void)
{
	if (!vforking.nr_vforks)
		vforking.pid = process_id();
	vforking.nr_vforks++;
}

/* A child that was killed with a child of its own leaves its count, and this
 * thread's calls are then a child's: as much is forbidden. */
void sandbox_vfork_end(void)
{
	uint64_t entered;

	vforking.nr_vforks--;
	if (vforking.nr_vforks)
		return;
	entered = take_relaxed(&vforking.entered, 0); // own
	if (unlikely(entered))
		// [sandbox.word] with gate_settle(): the word, then the debt
		sub_seq(&sandbox_word, entered);
}
