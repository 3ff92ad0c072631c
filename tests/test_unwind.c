/* sample/unwind.h: our stacks against libgcc's at the same instants
 *
 * links: real-system
 *
 * What real programs' stacks look like: see stress/unwind. Here are the places
 * where unwinders lose their way: handlers on stacks of their own, coroutines,
 * code without tables, stacks deeper than what is read directly, addresses
 * that lead nowhere or to what was unmapped.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "cases.h"
#include "sample/lasting.h"
#include "sample/memo.h"
#include "sample/memory.h"
#include "sample/rules.h"
#include "sample/unwind.h"
#include "system/peek.h"
#include "system/system.h"
#include "system/sealed.h"
#include "system/threads.h"

struct stack {
	unsigned n;
	uint64_t pcs[UNWIND_MOST];
};

static struct stack ours, theirs;
static volatile int sink;

static _Unwind_Reason_Code frame_seen(struct _Unwind_Context *context,
				      void *arg)
{
	struct stack *stack = arg;
	int exact = 0;
	uintptr_t pc = _Unwind_GetIPInfo(context, &exact);

	if (!pc || stack->n == UNWIND_MOST)
		return _URC_END_OF_STACK;
	stack->pcs[stack->n++] = pc + (exact != 0);
	return _URC_NO_REASON;
}

static __attribute__((noinline)) void take_both(void)
{
	ours.n = unwind_here(ours.pcs, UNWIND_MOST);
	theirs.n = 0;
	_Unwind_Backtrace(frame_seen, &theirs);
	sink++; /* no tail call */
}

/* But for the first one, which is where take_both() called. */
static void assert_equal_stacks(void)
{
	assert_in_range(ours.n, 3, UNWIND_MOST);
	for (unsigned i = 1; i < ours.n; i++)
		assert_int_equal(ours.pcs[i], theirs.pcs[i]);
	assert_int_equal(ours.n, theirs.n);
}

static __attribute__((noinline)) void nest(unsigned depth, size_t size)
{
	volatile char room[size + 1];

	room[size] = (char)depth;
	if (depth)
		nest(depth - 1, size);
	else
		take_both();
	sink += room[size];
}

/* As real.c does it. */
static void sealed_find_object(void)
{
	*(void **)(void *)&sealed.at.find_object =
		dlsym(RTLD_DEFAULT, "_dl_find_object");
	assert(sealed.at.find_object);
}

TEST(test_plain)
{
	nest(0, 8);
	assert_equal_stacks();
	nest(20, 100);
	assert_equal_stacks();
}

static void handler(int signal)
{
	(void)signal;
	take_both();
}

static void handler_install(int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

TEST(test_handler)
{
	handler_install(0);
	raise(SIGUSR1);
	assert_equal_stacks();
}

/* From there back to the stack that was interrupted. */
TEST(test_alternate_stack)
{
	static char room[1 << 16];
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };

	assert_int_equal(sigaltstack(&stack, NULL), 0);
	handler_install(SA_ONSTACK);
	raise(SIGUSR1);
	assert_equal_stacks();
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
}

static ucontext_t main_context, side_context;

static void side(void)
{
	nest(5, 40);
	swapcontext(&side_context, &main_context);
}

/* Coroutines come and go at addresses that were seen before. */
TEST(test_coroutine)
{
	size_t size = 1 << 16;
	char *room;

	for (int i = 0; i < 3; i++) {
		room = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(room, MAP_FAILED);
		getcontext(&side_context);
		side_context.uc_stack.ss_sp = room;
		side_context.uc_stack.ss_size = size;
		side_context.uc_link = &main_context;
		makecontext(&side_context, side, 0);
		swapcontext(&main_context, &side_context);
		assert_equal_stacks();
		munmap(room, size);
	}
}

static void *thread_run(void *arg)
{
	nest(3, 16);
	return arg;
}

TEST(test_threads)
{
	pthread_t thread;

	for (int i = 0; i < 4; i++) {
		pthread_create(&thread, NULL, thread_run, NULL);
		pthread_join(thread, NULL);
		assert_equal_stacks();
	}
}

static void assert_gives_up(struct frame frame, unsigned least)
{
	struct stack stack;

	stack.n = unwind(&frame, stack.pcs, UNWIND_MOST);
	assert_in_range(stack.n, least, least + 1);
}

static __attribute__((noinline)) void frame_fill(struct frame *frame)
{
	memset(frame, 0, sizeof(*frame));
	frame_here(frame);
}

/* Nowhere, unmapped, unaligned, at the end of everything. */
TEST(test_bad_frames)
{
	char *gone = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uint64_t bad[] = { 8, (uintptr_t)gone, (uintptr_t)gone + 0xfff8,
				 ~(uint64_t)0, ~(uint64_t)7, ~(uint64_t)15,
				 (uint64_t)1 << 63, (uint64_t)1 << 47 };
	struct frame frame;

	munmap(gone, 1 << 16);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		frame_fill(&frame);
		frame.r[FRAME_SP] = bad[i];
		frame.r[FRAME_FP] = bad[i];
		assert_gives_up(frame, 1);
		frame_fill(&frame);
		frame.pc = bad[i]; /* as of a library that was unloaded */
		frame.r[FRAME_FP] = bad[i];
		assert_gives_up(frame, 1);
	}
}

#define BESIDE ((size_t)1 << 15)

static char *wall; /* between a coroutine's stack and the thread's, above it */

static void beside(void)
{
	struct frame frame;

	nest(3, 8);
	frame_fill(&frame);
	frame.pc = 8;
	frame.r[FRAME_FP] = (uintptr_t)wall + 64;
	assert_gives_up(frame, 1);
	swapcontext(&side_context, &main_context);
}

static void *beside_run(void *arg)
{
	getcontext(&side_context);
	side_context.uc_stack.ss_sp = wall - BESIDE;
	side_context.uc_stack.ss_size = BESIDE;
	side_context.uc_link = &main_context;
	makecontext(&side_context, beside, 0);
	swapcontext(&main_context, &side_context);
	return arg;
}

/* What lies between two stacks is not taken for one of them. */
TEST(test_wall_between)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, 2 * BESIDE + page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;

	wall = at + BESIDE;
	mprotect(wall, page, PROT_NONE);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, wall + page, BESIDE);
	assert_int_equal(pthread_create(&thread, &attr, beside_run, NULL), 0);
	pthread_join(thread, NULL);
	assert_equal_stacks();
	munmap(at, 2 * BESIDE + page);
}

TEST(test_can_read)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, 8 * page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(system_can_read(at, 8 * page));
	assert_true(system_can_read(at + 8 * page - 1, 1));
	mprotect(at + 3 * page, page, PROT_NONE);
	assert_true(system_can_read(at, 3 * page));
	assert_false(system_can_read(at, 3 * page + 1));
	munmap(at + 6 * page, page);
	assert_true(system_can_read(at + 4 * page, 2 * page));
	assert_false(system_can_read(at + 4 * page, 3 * page));
	assert_false(system_can_read((void *)-8, 4));
	munmap(at, 8 * page);
}

/* As long as the kernel may not be asked to copy: up to what is not there. */
TEST(test_peek_behind_filter)
{
	size_t page = system_page_size();
	char bytes[16] = "";
	char *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(at, 'x', page);
	munmap(at + page, page);
	assert_int_equal(system_peek(bytes, at, 16), 0);
	assert_int_equal(system_peek_behind_filter(bytes, at, 16), 16);
	assert_memory_equal(bytes, "xxxxxxxxxxxxxxxx", 16);
	at += page - 8;
	assert_int_equal(system_peek_behind_filter(bytes, at, 16), 8);
	at += 8;
	assert_int_equal(system_peek_behind_filter(bytes, at, 16), 0);
	munmap(at - page, page);
}

/* From here on the kernel may be asked to copy, unless a filter was there
 * before. */
TEST(test_allow)
{
	size_t n = !system_is_filtered();
	char byte = 0;

	assert_int_equal(system_peek(&byte, "x", 1), 0);
	system_peek_start();
	assert_int_equal(system_peek(&byte, "x", 1), n);
	assert_int_equal(byte, n ? 'x' : 0);
}

TEST(test_deeper_than_most)
{
	nest(100, 8);
	assert_int_equal(ours.n, UNWIND_MOST);
	assert_memory_equal(ours.pcs + 1, theirs.pcs + 1,
			    (UNWIND_MOST - 1) * sizeof(ours.pcs[0]));
}

/* Beyond what is loaded directly the kernel copies. */
TEST_WHERE(!system_is_filtered(), test_large_frames)
{
	nest(8, MEMORY_OWN_MOST / 4);
	assert_equal_stacks();
	nest(8, 8);
	assert_equal_stacks();
}

#if defined(__x86_64__)
/* push %rbp; mov %rsp, %rbp; call *%rdi; pop %rbp; ret: no table has it. */
static const unsigned char made_code[] = { 0x55, 0x48, 0x89, 0xe5, 0xff,
					   0xd7, 0x5d, 0xc3 };
#define MADE_RETURN 6
#elif defined(__aarch64__)
/* stp x29, x30, [sp, -16]!; mov x29, sp; blr x0; ldp x29, x30, [sp], 16; ret */
static const uint32_t made_code[] = { 0xa9bf7bfd, 0x910003fd, 0xd63f0000,
				      0xa8c17bfd, 0xd65f03c0 };
#define MADE_RETURN 12
#endif

/* By its frame pointer, and by tables again behind it. */
static __attribute__((noinline, optimize("no-omit-frame-pointer"))) void
call_made_code(void)
{
	char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned i = 0;

	assert_ptr_not_equal(code, MAP_FAILED);
	memcpy(code, made_code, sizeof(made_code));
	__builtin___clear_cache(code, code + sizeof(made_code));
	((void (*)(void (*)(void)))(void *)code)(take_both);
	while (i < ours.n && ours.pcs[i] != (uintptr_t)code + MADE_RETURN)
		i++;
	assert_in_range(i, 1, 1);
	nest(0, 8);
	/* Its callers are those of this function, which end the same way. */
	assert_memory_equal(ours.pcs + ours.n - 2, theirs.pcs + theirs.n - 2,
			    2 * sizeof(ours.pcs[0]));
	munmap(code, 4096);
}

TEST(test_made_code)
{
	call_made_code();
}

/* A ring of frame pointers ends. */
TEST(test_ring)
{
	uint64_t ring[4] __attribute__((aligned(16)));
	struct frame frame;
	struct stack stack;

	ring[0] = (uintptr_t)&ring[2];
	ring[2] = (uintptr_t)&ring[0];
	ring[1] = ring[3] = 16;
	frame_fill(&frame);
	frame.pc = 16;
	frame.r[FRAME_SP] = frame.r[FRAME_FP] = (uintptr_t)&ring[0];
	stack.n = unwind(&frame, stack.pcs, UNWIND_MOST);
	assert_int_equal(stack.n, 3);
}

/* Rules are of one address and of what describes it: length, how far before it
 * the common part lies, and all bytes of both. */
TEST(test_rule_keys)
{
	unsigned char table[64] = { 20 };
	unsigned char *entry = table + 24;
	uint64_t key;

	entry[0] = 28;
	entry[4] = 28;
	key = rules_key(4096, entry);
	assert_int_equal(rules_find(key), RULES_NONE);
	rules_keep(key, 5);
	assert_int_equal(rules_find(key), 5);
	assert_int_equal(rules_find(rules_key(4096, entry)), 5);
	assert_int_equal(rules_find(rules_key(4097, entry)), RULES_NONE);
	for (unsigned i = 0; i < 56; i++) {
		if ((i >= 16 && i < 24) || (i >= 24 && i < 32))
			continue;
		table[i] ^= 64;
		assert_int_equal(rules_find(rules_key(4096, entry)),
				 RULES_NONE);
		table[i] ^= 64;
	}
	rules_keep(key, 7);
	assert_int_equal(rules_find(key), 7);
	entry[0] = 4;
	assert_int_equal(rules_key(4096, entry), 0);
	assert_int_equal(rules_find(0), RULES_NONE);
}

/* Rules of lasting code are found by the address, halves of two are not. */
TEST(test_lasting_rules)
{
	uint64_t key = rules_lasting_key(4096);
	_Atomic(uint64_t) *entry = rules_lasting[key >> RULES_LASTING_SHIFT];

	assert_int_equal(rules_find_lasting(4096), RULES_NONE);
	rules_keep_lasting(4096, 5);
	assert_int_equal(rules_find_lasting(4096), 5);
	assert_int_equal(rules_find_lasting(4097), RULES_NONE);
	entry[1] ^= 1;
	assert_int_equal(rules_find_lasting(4096), RULES_NONE);
	entry[1] ^= 1;
	assert_int_equal(rules_find_lasting(4096), 5);
}

/* What dlopen() adds does not last. */
TEST(test_lasting)
{
	void *program = dlopen(NULL, RTLD_NOW), *added;

	assert_true(lasting_has(program));
	assert_false(lasting_has(NULL));
	added = dlopen("libresolv.so.2", RTLD_NOW);
	assert_non_null(added);
	assert_false(lasting_has(added));
	lasting_start();
	assert_false(lasting_has(added));
	dlclose(added);
	dlclose(program);
}

/* Frames that hang on the frame pointer and such that do not. */
static __attribute__((noinline)) void remember(size_t size)
{
	volatile char room[size + 1];
	uint64_t pcs[UNWIND_MOST], *word;
	struct memo_notes notes;
	struct memory memory;
	struct frame frame, begin;
	unsigned i, n;

	room[size] = 0;
	frame_here(&begin);
	frame = begin;
	memory_open(&memory, frame.r[FRAME_SP]);
	unwind_callers(&frame, &memory, pcs, UNWIND_MOST, &notes);
	frame = begin;
	n = unwind_callers(&frame, &memory, pcs, UNWIND_MOST, &notes);
	frame = begin;
	assert_true(notes.whole);
	assert_int_equal(notes.nr, n);
	/* A signed address stays as it is, where it is stripped in pcs. */
	word = (uint64_t *)(uintptr_t)(notes.sp + notes.at[n - 1]);
	*word ^= (uint64_t)1 << 55;
	memo_keep(&notes, 1, 99, 77);
	assert_int_equal(memo_find(&frame, &memory, 99), 77);
	*word ^= (uint64_t)1 << 55;
	assert_int_equal(memo_find(&frame, &memory, 99), 0);
	memo_keep(&notes, 1, 99, 77);
	assert_int_equal(memo_find(&frame, &memory, 99), 77);
	assert_int_equal(memo_find(&frame, &memory, 98), 0);
	for (i = 0; i < n; i++) {
		word = (uint64_t *)(uintptr_t)(notes.sp + notes.at[i]);
		*word ^= 1;
		assert_int_equal(memo_find(&frame, &memory, 99), 0);
		*word ^= 1;
	}
	for (i = 0; i < notes.nr_fp; i++) {
		word = (uint64_t *)(uintptr_t)(notes.sp + notes.fp_at[i]);
		*word ^= 16;
		assert_int_equal(memo_find(&frame, &memory, 99), 0);
		*word ^= 16;
	}
	frame.r[FRAME_FP] ^= notes.fp_used ? 16 : 0;
	assert_int_equal(memo_find(&frame, &memory, 99),
			 notes.fp_used ? 0 : 77);
	frame.r[FRAME_FP] ^= notes.fp_used ? 16 : 0;
	assert_int_equal(memo_find(&frame, &memory, 99), 77);
	frame.r[FRAME_SP] += 16;
	assert_int_equal(memo_find(&frame, &memory, 99), 0);
	sink += room[size];
	memo_keep(&notes, 1, 99, 0);
	memo_keep(&notes, n, 99, 78);
	frame.r[FRAME_SP] -= 16;
	assert_int_equal(memo_find(&frame, &memory, 99), 77);
}

/* A stack is known as long as each word that the walk read is as it was. */
TEST(test_memo)
{
	remember(100);
	remember(10000);
}

TEST_AGAIN(test_can_read, NULL, NULL)
TEST_AGAIN(test_plain, NULL, NULL)
TEST_AGAIN(test_handler, NULL, NULL)
TEST_AGAIN(test_alternate_stack, NULL, NULL)
TEST_AGAIN(test_coroutine, NULL, NULL)
TEST_AGAIN(test_threads, NULL, NULL)
TEST_AGAIN(test_bad_frames, NULL, NULL)
TEST_AGAIN(test_wall_between, NULL, NULL)

FIXTURE(setup)
{
	sealed_find_object();
	lasting_start();
}

TEST_MAIN(setup, NULL)
