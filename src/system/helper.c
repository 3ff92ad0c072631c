/* layer 1.6: helper: births, lives and their end; protocol in helper.h */
#include "system/helper.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/word.h"
#include "system/place.h"
#include "system/sandbox.h"

#define NR_LIVES 2
#define SLICE_MS 50
#define BIRTH_WAIT_MS 10
#define AWAIT_WAITS 100 /* of BIRTH_WAIT_MS: for one that was asked to end */
#define BIRTH_WAITS 20	/* for a birth that is under way */
#define SHORT_NAPS 50	/* of 20 us: what a task's end takes */
#define LONG_NAPS 1000	/* of 1 ms: its id is another thread's by now */

/* Whether births are allowed, and in which age. */
struct births {
	uint32_t nr_forbidders;
	uint32_t version; /* counts those that came */
};
WORD(births, uint64_t);

/* Zero in the child of a fork. */
struct helper {
	_Atomic(uint32_t) pid;	       /* atomic: whose; 0: nobody's yet */
	_Atomic(uint32_t) current;     /* atomic: hint, life + 1; 0: none */
	_Atomic(uint64_t) births;      /* atomic: struct births */
	_Atomic(uint32_t) filtered;    /* atomic: rare calls may kill */
	_Atomic(uint32_t) first_value; /* atomic: of the first thread's word */
	/* atomic: the word that is cleared when the first thread ends */
	_Atomic(_Atomic(uint32_t) *) first_word;
	struct helper_life lives[NR_LIVES];
};

/* What is added for one that forbids. */
static const struct births births_forbid = { .nr_forbidders = 1, .version = 1 };

static struct births births_allowed(struct births w)
{
	w.nr_forbidders -= w.nr_forbidders != 0;
	return w;
}

static bool births_are_forbidden(uint64_t births)
{
	return births_unpack(births).nr_forbidders != 0;
}

static _Atomic(struct helper *) helper; /* atomic: mapped once, for ever */

static struct helper *helper_memory(void)
{
	// [helper.memory] with memory_make(): the kernel knows it is wiped
	return load_acquire(&helper);
}

static struct helper *memory_make(void)
{
	struct helper *fresh = place_map(sizeof(struct helper)), *none = NULL;

	if (!fresh)
		return NULL;
	system_wipe_on_fork(fresh, sizeof(struct helper));
	// [helper.memory] with helper_memory(): the kernel knows it is wiped
	if (cas_release(&helper, &none, fresh))
		return fresh;
	system_unmap(fresh, sizeof(struct helper));
	return none;
}

/* The first thread alone knows its word. */
static void note_first_thread(struct helper *h)
{
	int tid = system_gettid();
	_Atomic(uint32_t) *word;

	if (load_relaxed(&h->first_word) ||			  // hint
	    load_relaxed(&h->filtered) || tid != system_getpid()) // const
		return;
	word = system_tid_word(tid);
	store_relaxed(&h->first_value, (uint32_t)tid); // before publish
	// [helper.first] with life_prepare(): its value
	store_release(&h->first_word, word);
}

static void prepare(struct helper *h)
{
	uint32_t pid = 0;

	if (!h)
		h = memory_make();
	if (!h)
		return;
	if (!load_relaxed(&h->pid)) {				   // hint
		store_relaxed(&h->filtered, system_is_filtered()); // as others
		// [helper.pid] with helper_is_prepared(): filtered
		cas_release(&h->pid, &pid, (uint32_t)system_getpid());
	}
	note_first_thread(h);
}

void helper_prepare(void)
{
	if (!sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return;
	prepare(helper_memory());
	sandbox_rare_done();
}

bool helper_is_prepared(void)
{
	struct helper *h = helper_memory();

	// [helper.pid] with helper_prepare(): filtered
	return h && load_acquire(&h->pid);
}

bool helper_is_filtered(void)
{
	struct helper *h = helper_memory();

	return h && load_relaxed(&h->filtered); // const
}

struct helper_life *helper_current(void)
{
	struct helper *h = helper_memory();
	uint32_t current = h ? load_relaxed(&h->current) : 0; // hint

	return current ? &h->lives[current - 1] : NULL;
}

/* Whether its task is no more; then says so for all. */
static bool thread_is_gone(struct system_thread *thread)
{
	uint32_t tid = load_relaxed(&thread->tid); // hint

	if (tid && system_thread_lives((int)tid))
		return false;
	if (tid)
		cas_relaxed(&thread->tid, &tid, 0); // hint
	return true;
}

/* Not so in the child of a vfork or clone(CLONE_VM), and of a fork where the
 * kernel cannot wipe. A rare call. */
static bool is_own(const struct helper *h)
{
	return load_relaxed(&h->pid) == (uint32_t)system_getpid(); // const
}

/* Birth */

/* Takes a life whose former task is gone; NULL: there is none. */
static struct helper_life *life_take(struct helper *h)
{
	struct helper_life *life;
	uint32_t none;

	for (life = h->lives; life < h->lives + NR_LIVES; life++) {
		none = 0;
		if (load_relaxed(&life->thread.alive) || // hint
		    !thread_is_gone(&life->thread))
			continue;
		// [helper.births] with helper_forbid(): alive, then births
		if (!cas_seq(&life->thread.alive, &none, 1))
			continue;
		/* Another may have been born there, and ended, since. */
		if (!load_relaxed(&life->thread.tid)) // own
			return life;
		store_relaxed(&life->thread.alive, 0); // own: as it was
	}
	return NULL;
}

static void life_prepare(struct helper *h, struct helper_life *life,
			 void (*run)(struct helper_life *))
{
	// [helper.first] with note_first_thread(): its value
	life->watch.word = load_acquire(&h->first_word);
	life->watch.value = load_relaxed(&h->first_value); // above
	life->creator = system_gettid();
	life->run = run;
	life->self = &life->self;
	store_relaxed(&life->word, HELPER_AWAKE); // before publish
}

/* Somebody will see it end before the process does. */
static bool life_can_watch(const struct helper_life *life)
{
	int first = system_getpid();

	return life->watch.word || life->creator != first ||
	       system_thread_runs(first);
}

static void life_leave(struct helper_life *life)
{
	uint32_t word = load_relaxed(&life->word); // hint

	while (word != HELPER_NONE && word != HELPER_LEAVE)
		if (cas_relaxed(&life->word, &word, HELPER_LEAVE)) { // hint
			system_wake(&life->word);
			return;
		}
}

static void life_entry(void *arg)
{
	struct helper_life *life = arg;

	life->run(life);
}

static int life_start(struct helper *h, struct helper_life *life)
{
	// [helper.births] with helper_forbid(): alive is set
	life->births = load_seq(&h->births);
	if (births_are_forbidden(life->births))
		return -EPERM;
	if (!life_can_watch(life))
		return -ENOSYS;
	return system_thread_start(life->stack, sizeof(life->stack),
				   &life->self, life_entry, life,
				   &life->thread);
}

static void current_set(struct helper *h, struct helper_life *life)
{
	uint32_t now = (uint32_t)(life - h->lives) + 1;
	uint32_t former = take_relaxed(&h->current, now); // hint

	if (former && former != now)
		life_leave(&h->lives[former - 1]);
}

/* With all signals blocked. */
static int birth(struct helper *h, struct helper_life *life, bool current)
{
	int result = life_start(h, life);

	if (result < 0) {
		store_relaxed(&life->word, HELPER_NONE); // hint
		store_relaxed(&life->thread.alive, 0);	 // own: as it was
	} else if (current) {
		current_set(h, life);
	}
	return result;
}

static int start_one(struct helper *h, void (*run)(struct helper_life *life),
		     bool current, struct helper_life **born)
{
	struct helper_life *life;
	uint64_t signals;
	int result = -EBUSY;

	note_first_thread(h);
	signals = system_signals_block();
	life = life_take(h);
	if (life) {
		life_prepare(h, life, run);
		result = birth(h, life, current);
	}
	if (born)
		*born = life;
	system_signals_restore(signals);
	return result;
}

int helper_start(void (*run)(struct helper_life *life), bool current,
		 struct helper_life **born)
{
	struct helper *h = helper_memory();
	int result = -EPERM;

	if (!helper_is_prepared() ||
	    births_are_forbidden(load_relaxed(&h->births)) || // hint
	    !sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return -EPERM;
	if (is_own(h))
		result = start_one(h, run, current, born);
	sandbox_rare_done();
	return result;
}

/* Life */

/* What a seccomp filter that was there before the program may not know is not
 * called. Threads of one program may differ in capabilities (file servers do);
 * only those of a helper that began as the first thread is can change. */
void helper_begin(struct helper_life *life)
{
	struct helper *h = helper_memory();

	if (load_relaxed(&h->births) != life->births) // hint: unborn at heart
		helper_end(life);
	life->equal = false;
	if (load_relaxed(&h->filtered)) // const
		life->watch.word = NULL;
	else
		life->equal = system_same_capabilities(
			(int)load_relaxed(&h->pid)); // const
}

static bool rights_changed(const struct helper *h,
			   const struct helper_life *life)
{
	int first = (int)load_relaxed(&h->pid); // const

	if (load_relaxed(&h->filtered) || sandbox_known()) // const
		return false;
	return life->equal && !system_same_capabilities(first);
}

/* Nobody is left to work for. */
static bool is_alone(const struct helper *h, const struct helper_life *life)
{
	int first = (int)load_relaxed(&h->pid); // const

	if (life->watch.word || system_thread_runs(first))
		return false;
	return life->creator == first || !system_thread_lives(life->creator);
}

bool helper_must_end(struct helper_life *life)
{
	struct helper *h = helper_memory();

	return load_relaxed(&h->births) != life->births || // hint: woken for it
	       load_relaxed(&life->word) == HELPER_LEAVE || is_alone(h, life) ||
	       rights_changed(h, life);
}

/* May come back early. */
void helper_sleep(struct helper_life *life, uint32_t word, uint64_t ms)
{
	if (!life->watch.word)
		system_sleep(&life->word, word, ms < SLICE_MS ? ms : SLICE_MS,
			     NULL);
	else if (!system_sleep(&life->word, word, ms, &life->watch))
		life->watch.word = NULL;
}

_Noreturn void helper_end(struct helper_life *life)
{
	store_relaxed(&life->word, HELPER_NONE); // hint
	system_thread_exit();
}

/* End */

/* Waits until the stack is free: alive is what the kernel clears. */
static bool await_stack(struct helper_life *life, unsigned waits)
{
	unsigned i, unborn = 0;

	// [helper.births] with life_take(): births, then alive
	for (i = 0; i < waits && load_seq(&life->thread.alive); i++) {
		if (!load_relaxed(&life->thread.tid) && // hint
		    ++unborn > BIRTH_WAITS)
			return false;
		life_leave(life);
		system_sleep_shared(&life->thread.alive, 1, BIRTH_WAIT_MS);
	}
	return i < waits;
}

static void await_task(struct system_thread *thread)
{
	uint32_t tid = load_relaxed(&thread->tid); // hint
	unsigned i;

	for (i = 0; i < SHORT_NAPS + LONG_NAPS && !thread_is_gone(thread); i++)
		system_nap(i < SHORT_NAPS ? 20 : 1000);
	/* The id is another thread's. A birth since has an id of its own. */
	if (tid)
		cas_relaxed(&thread->tid, &tid, 0); // hint
}

/* Whether there was somebody. */
static bool life_await_end(struct helper_life *life, unsigned waits)
{
	// hint: for the result, and for an end that is long over
	bool was = load_relaxed(&life->thread.alive) ||
		   load_relaxed(&life->thread.tid); // hint

	if (await_stack(life, waits))
		await_task(&life->thread);
	return was;
}

void helper_await_end(struct helper_life *life)
{
	life_await_end(life, AWAIT_WAITS);
}

static bool lives_await_end(struct helper *h)
{
	struct helper_life *life;
	bool was = false;

	for (life = h->lives; life < h->lives + NR_LIVES; life++)
		was |= life_await_end(life, (unsigned)-1);
	return was;
}

/* Whether there was a helper, or may have been: who forbade it before may have
 * ended it, and whoever allows last gives birth to the next. */
static bool forbid(struct helper *h, bool *rare)
{
	// [helper.births] with life_take(): births, then alive
	uint64_t old = add_seq(&h->births, births_pack(births_forbid));
	bool was = births_are_forbidden(old);

	if (!*rare)
		*rare = sandbox_try_rare(SANDBOX_OF_PROCESS);
	return (*rare && lives_await_end(h)) || was;
}

uint32_t helper_forbid(bool *ended)
{
	struct helper *h = helper_memory();
	uint32_t pid = h ? load_relaxed(&h->pid) : 0; // const
	bool rare;

	*ended = false;
	if (!pid || sandbox_child_entered())
		return 0;
	rare = sandbox_try_rare(SANDBOX_OF_PROCESS);
	if (rare && !is_own(h))
		pid = 0;
	else
		*ended = forbid(h, &rare);
	if (rare)
		sandbox_rare_done();
	return pid;
}

bool helper_is_awaited(void)
{
	struct helper *h = helper_memory();

	return h && births_are_forbidden(load_relaxed(&h->births)); // hint
}

/* In the child of a fork that came in between there is nothing to allow. */
void helper_allow(uint32_t token)
{
	struct helper *h = helper_memory();
	uint64_t births, allowed;

	if (!token || load_relaxed(&h->pid) != token) // const
		return;
	births = load_relaxed(&h->births); // counter
	do {
		allowed = births_pack(births_allowed(births_unpack(births)));
	} while (!cas_relaxed(&h->births, &births, allowed)); // counter
}
