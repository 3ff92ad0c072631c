/* compare: our stacks against libgcc's and libunwind's, at the same instants
 *
 * Preloaded into any program, with the library's own objects in it. Stacks are
 * taken from malloc, every COMPARE_EVERY-th call (100), and from a profiling
 * signal each millisecond of CPU time where COMPARE_SIGNAL is set: then the
 * interrupted function is at any of its instructions. At exit a line on stderr
 * says how many were equal, how many a true beginning of the other, how many
 * went on where the other one had ended (behind code without tables, by frame
 * pointers), and how many none of these; COMPARE_SHOW=n shows the first n of
 * the last kind.
 *
 * The other unwinders take locks: this is a test, and a handler that meets
 * them in the middle of one does nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <unwind.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "sample/unwind.h"
#include "system/peek.h"
#include "system/sealed.h"

#define MOST 60

struct stack {
	unsigned n;
	uint64_t pcs[UNWIND_MOST];
};

static struct {
	atomic_ulong equal, beginning, longer, other;
} counts[2];
static unsigned long every = 100, show;
static atomic_ulong nr_calls;
static __thread bool busy;
static bool started;

static _Unwind_Reason_Code gcc_frame(struct _Unwind_Context *context, void *arg)
{
	struct stack *stack = arg;
	int exact = 0;
	uintptr_t pc = _Unwind_GetIPInfo(context, &exact);

	if (!pc || stack->n == UNWIND_MOST)
		return _URC_END_OF_STACK;
	stack->pcs[stack->n++] = pc + (exact != 0);
	return _URC_NO_REASON;
}

static void gcc_stack(struct stack *stack)
{
	stack->n = 0;
	_Unwind_Backtrace(gcc_frame, stack);
}

static void unw_stack(struct stack *stack)
{
	unw_context_t context;
	unw_cursor_t cursor;
	unw_word_t pc;

	stack->n = 0;
	unw_getcontext(&context);
	unw_init_local(&cursor, &context);
	do {
		if (unw_get_reg(&cursor, UNW_REG_IP, &pc) || !pc ||
		    stack->n == UNWIND_MOST)
			return;
		stack->pcs[stack->n++] = pc;
	} while (unw_step(&cursor) > 0);
}

/* From the first common address on: below it are the unwinders' own frames.
 * Addresses of interrupted functions may differ by one. */
static bool same(uint64_t a, uint64_t b)
{
	return a - b + 1 <= 2;
}

static void show_pair(const struct stack *ours, const struct stack *theirs,
		      unsigned at, unsigned whose)
{
	char line[160];
	Dl_info info;
	unsigned i;
	int n;

	for (i = 0; i < ours->n || i + at < theirs->n; i++) {
		uint64_t a = i < ours->n ? ours->pcs[i] : 0;
		uint64_t b = i + at < theirs->n ? theirs->pcs[i + at] : 0;
		const char *name = "";

		if (dladdr((void *)(b ? b : a), &info) && info.dli_fname)
			name = info.dli_sname ? info.dli_sname :
						info.dli_fname;
		n = snprintf(line, sizeof(line), "%c %2u %16lx %16lx %.80s\n",
			     whose ? 'u' : 'g', i, a, b, name);
		if (write(2, line, (size_t)n) < 0)
			return;
	}
}

static void judge(struct stack ours_copy, const struct stack *theirs,
		  unsigned whose)
{
	struct stack *ours = &ours_copy;
	unsigned at = 0, n = 0;

	/* The first is where compare() called the one and the other. */
	memmove(ours->pcs, ours->pcs + 1, --ours->n * sizeof(ours->pcs[0]));
	while (at < theirs->n && !same(theirs->pcs[at], ours->pcs[0]))
		at++;
	while (n < ours->n && at + n < theirs->n &&
	       same(ours->pcs[n], theirs->pcs[at + n]))
		n++;
	if (n == ours->n && (at + n == theirs->n || n >= MOST)) {
		counts[whose].equal++;
	} else if (n == ours->n && n) {
		counts[whose].beginning++;
	} else if (n && at + n == theirs->n) {
		counts[whose].longer++;
	} else {
		counts[whose].other++;
		if (counts[whose].other <= show)
			show_pair(ours, theirs, at, whose);
	}
}

static __attribute__((noinline)) void compare(void)
{
	struct stack ours, theirs;

	busy = true;
	ours.n = unwind_here(ours.pcs, MOST);
	gcc_stack(&theirs);
	judge(ours, &theirs, 0);
	unw_stack(&theirs);
	judge(ours, &theirs, 1);
	busy = false;
}

static void handler(int signal)
{
	(void)signal;
	if (!busy)
		compare();
}

static void report(void)
{
	static const char *const names[] = { "libgcc", "libunwind" };
	unsigned i;

	busy = true;
	for (i = 0; i < 2; i++) {
		unsigned long equal = counts[i].equal;
		unsigned long beginning = counts[i].beginning;
		unsigned long longer = counts[i].longer;
		unsigned long other = counts[i].other;
		unsigned long all = equal + beginning + longer + other;

		dprintf(2, "compare: %s: %lu stacks, %lu equal, "
			"%lu a beginning, %lu longer, %lu other: %.2f %%\n",
			names[i], all, equal, beginning, longer, other,
			all ? 100.0 * (double)(equal + beginning) /
				      (double)all : 0.0);
	}
}

static __attribute__((constructor)) void start(void)
{
	struct itimerval timer = { { 0, 1000 }, { 0, 1000 } };
	struct sigaction action = { .sa_handler = handler,
				    .sa_flags = SA_RESTART };
	const char *text = getenv("COMPARE_EVERY");

	busy = true;
	if (text)
		every = strtoul(text, NULL, 10);
	text = getenv("COMPARE_SHOW");
	if (text)
		show = strtoul(text, NULL, 10);
	system_peek_start();
	*(void **)(void *)&sealed.at.find_object =
		dlsym(RTLD_DEFAULT, "_dl_find_object");
	gcc_stack(&(struct stack){ 0 });
	started = true;
	busy = false;
	if (getenv("COMPARE_SIGNAL")) {
		sigaction(SIGPROF, &action, NULL);
		setitimer(ITIMER_PROF, &timer, NULL);
	}
}

static __attribute__((destructor)) void finish(void)
{
	report();
}

extern void *__libc_malloc(size_t);

void *malloc(size_t size)
{
	void *block = __libc_malloc(size);

	if (started && !busy && every && nr_calls++ % every == 0)
		compare();
	return block;
}
