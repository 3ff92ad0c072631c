/* layer 4.1: percpu for aarch64: the sections of percpu.h
 *
 * Local labels mean the same in every section:
 *
 *	1	first instruction of the section
 *	2	first instruction behind the commit, the section's last one
 *	3	the descriptor, in __rseq_cs, which is never unmapped
 *	4	the abort handler, in __rseq_failure, behind the signature
 *
 * What percpu_x86_64.h says of arming and aborts holds here too. The store that
 * arms is directly in front of 1, so that an interrupt behind it finds the
 * instruction pointer inside.
 *
 * Order: one CPU runs a section, and the kernel orders a CPU's threads and
 * the CPUs that a concurrency id wanders to. The checked sections need no
 * barrier either: one that reads the old lease and still commits has ended
 * before the revoker's fence, which is a barrier on every CPU; one that begins
 * behind the fence reads the new lease.
 *
 * tpidr_el0 is the thread pointer. Immediates above 4095 are multiples of
 * 4096: the assembler encodes them with lsl #12.
 */
#ifndef LANE_PERCPU_AARCH64_H
#define LANE_PERCPU_AARCH64_H

#include "base/atomic.h"

#define PERCPU_SIGNATURE 0xd428bc00

/* Kernel releases that do not abort as documented, inclusive, as major << 16
 * | minor << 8 | patch: from 6.19.0 to 7.0.13 a thread that is preempted and
 * goes on on the same CPU, or gets a signal, is not aborted. */
#define PERCPU_BROKEN_FIRST 0x061300
#define PERCPU_BROKEN_LAST 0x07000d

/* The signature is a brk, which traps wherever it is run. */
/* clang-format off */
#define PERCPU_SECTION(abort)                                             \
	".pushsection __rseq_cs, \"aw\"\n\t"                              \
	".balign 32\n"                                                    \
	"3:\t.long 0, 0\n\t"	     /* version, flags */                 \
	".quad 1f, 2f - 1f, 4f\n\t" /* start, length, abort */            \
	".popsection\n\t"                                                 \
	".pushsection __rseq_cs_ptr_array, \"aw\"\n\t"                    \
	".quad 3b\n\t"                                                    \
	".popsection\n\t"                                                 \
	".pushsection __rseq_failure, \"ax\"\n\t"                         \
	".balign 4\n\t"                                                   \
	".inst 0xd428bc00\n"	     /* brk #0x45e0 */                    \
	"4:\tb " abort "\n\t"                                             \
	".popsection\n\t"

/* Where the section may be left before its commit, for debuggers. */
#define PERCPU_EXIT(label)                                                \
	".pushsection __rseq_exit_point_array, \"aw\"\n\t"                \
	".quad 1f, " label "\n\t"                                         \
	".popsection\n\t"

/* Injection points: test builds wait there for percpu_inject[n] rounds. */
#ifdef LANE_INJECT
extern uint32_t percpu_inject[16] __attribute__((visibility("hidden")));
#define PERCPU_POINT(n)                                                   \
	"adrp x16, percpu_inject + 4 * " #n "\n\t"                        \
	"ldr w16, [x16, #:lo12:percpu_inject + 4 * " #n "]\n\t"           \
	"cbz w16, 9f\n"                                                   \
	"8:\tsub w16, w16, #1\n\t"                                        \
	"cbnz w16, 8b\n"                                                  \
	"9:\n\t"
#define PERCPU_CLOBBERS "memory", "cc", "x16"
#else
#define PERCPU_POINT(n)
#define PERCPU_CLOBBERS "memory", "cc"
#endif

/* Operands l = area + lane; t is scratch, tp the thread pointer. cpu_id lies 4
 * below rseq_cs. */
#define PERCPU_ENTER(l, t, fail) PERCPU_ENTER_AREA(l, t, fail) PERCPU_LANE(l)
#define PERCPU_LANE(l)                                                    \
	"add %[" #l "], %[" #l "], %[lane], lsl #3\n\t" /* l += lane */
#define PERCPU_ENTER_AREA(l, t, fail) PERCPU_ENTER_ID(l, t, fail)         \
	"add %[" #l "], %[base], %[table]\n\t"	/* l = base + table */    \
	"ldr %[" #l "], [%[" #l "], %[" #t "], lsl #3]\n\t"               \
						/* l = table[id] */       \
	"add %[" #l "], %[base], %[" #l "]\n\t" /* l += base */           \
	PERCPU_POINT(3)
#define PERCPU_ENTER_ID(l, t, fail)                                       \
	"mrs %[tp], tpidr_el0\n\t"		/* tp */                  \
	"adrp %[" #t "], 3b\n\t"		/* t = &descriptor */     \
	"add %[" #t "], %[" #t "], #:lo12:3b\n\t"                         \
	"add %[" #l "], %[tp], %[rseq_cs]\n\t"	/* l = &area.rseq_cs */   \
	"str %[" #t "], [%[" #l "]]\n"		/* arm: rseq_cs = t */    \
	"1:\t" PERCPU_POINT(0)                                            \
	"ldur %w[" #t "], [%[" #l "], #-4]\n\t" /* t = cpu_id */          \
	"cmp %w[" #t "], %[words]\n\t"		/* t >= words? */         \
	"b.hs " fail "\n\t"			/* fail */                \
	PERCPU_POINT(1)                                                   \
	"ldr %w[" #t "], [%[tp], %[id]]\n\t"	/* t = id, zero extended */ \
	PERCPU_POINT(2)

#define PERCPU_AREA_INPUTS                                                \
	[rseq_cs] "r"(anchor.rseq_cs), [id] "r"(anchor.id),               \
		[base] "r"(anchor.base), [words] "i"(REGION_TABLE_WORDS), \
		[table] "i"(REGION_TABLE_OFFSET)
#define PERCPU_ENTER_INPUTS PERCPU_AREA_INPUTS, [lane] "r"(lane.words)

/* Stands at the head of every path out of a section, and costs nothing. gcc
 * before 12.4 and 13.3 copies an asm goto's outputs on each way out behind
 * what a join of paths (a PHI) has to do there: where a path is empty and so
 * leads right to a join, the copy overwrites what the join has set. */
#define percpu_edge() asm volatile("")

static force_inline void *percpu_pop(struct lane_offset lane)
{
	void *object;
	struct lane *l;
	void **top;
	uint64_t tp;

	asm volatile goto(
		PERCPU_SECTION("%l[slow]")
		PERCPU_EXIT("%l[slow]")
		PERCPU_ENTER(l, top, "%l[slow]")
		"ldr %[top], [%[l]]\n\t"	/* top = l->top */
		PERCPU_POINT(4)
		"ldr %[object], [%[top]], #-8\n\t" /* object = *top; top -= 1 */
		"cbz %[object], %l[slow]\n\t"	/* none: fail */
		PERCPU_POINT(5)
		"str %[top], [%[l]]\n"		/* l->top = top (commit) */
		"2:\n\t"
		: [object] "=&r"(object), [l] "=&r"(l), [top] "=&r"(top),
		  [tp] "=&r"(tp)
		: PERCPU_ENTER_INPUTS
		: PERCPU_CLOBBERS
		: slow);
	percpu_edge();
	if (!object)
		__builtin_unreachable();
	return object;
slow:
	percpu_edge();
	return NULL;
}

static force_inline void *percpu_pop_counted(struct lane_offset lane,
					       size_t size)
{
	uint64_t tp, l, left;
	char *area;
	void *object;
	void **top;

	asm volatile goto(
		PERCPU_SECTION("%l[slow]")
		PERCPU_EXIT("%l[slow]")
		PERCPU_ENTER_AREA(area, top, "%l[slow]")
		"add %[l], %[area], %[lane], lsl #3\n\t" /* l = area + lane */
		"ldr %[top], [%[l]]\n\t"	/* top = l->top */
		PERCPU_POINT(4)
		"ldr %[object], [%[top]], #-8\n\t" /* object = *top; top -= 1 */
		"cbz %[object], %l[slow]\n\t"	/* none: fail */
		PERCPU_POINT(5)
		"ldr %[left], [%[area], %[count]]\n\t"
		"subs %[left], %[left], %[size]\n\t"
		"str %[left], [%[area], %[count]]\n\t" /* count -= size */
		"b.mi %l[slow]\n\t"		/* used up: fail */
		PERCPU_POINT(6)
		"str %[top], [%[l]]\n"		/* l->top = top (commit) */
		"2:\n\t"
		: [object] "=&r"(object), [area] "=&r"(area),
		  [top] "=&r"(top), [tp] "=&r"(tp), [l] "=&r"(l),
		  [left] "=&r"(left)
		: PERCPU_ENTER_INPUTS, [size] "r"(size),
		  [count] "i"(AREA_COUNT_OFFSET)
		: PERCPU_CLOBBERS
		: slow);
	percpu_edge();
	if (!object)
		__builtin_unreachable();
	return object;
slow:
	percpu_edge();
	return NULL;
}

/* l is the lane, t the top. */
#define PUSH_TO_LANE                                                      \
	"ldp %[t], %[tp], [%[l]]\n\t"	/* t = top, tp = end */        \
	PERCPU_POINT(4)                                                   \
	"cmp %[t], %[tp]\n\t"		/* t >= end? */                \
	"b.hs %l[slow]\n\t"		/* fail */                     \
	"ldr %[tp], [%[t]]\n\t"		/* tp = *t */                  \
	"cmp %[tp], %[object]\n\t"	/* the same object? */         \
	"b.eq %l[slow]\n\t"		/* fail */                     \
	"str %[object], [%[t], #8]!\n\t" /* t += 1; *t = object */       \
	PERCPU_POINT(5)                                                   \
	"str %[t], [%[l]]\n"		/* l->top = t (commit) */      \
	"2:\n\t"

static force_inline bool percpu_push(struct lane_offset lane, void *object)
{
	struct lane *l;
	uint64_t tp;
	void **t;

	asm volatile goto(
		PERCPU_SECTION("%l[slow]")
		PERCPU_EXIT("%l[slow]")
		PERCPU_ENTER(l, t, "%l[slow]")
		PUSH_TO_LANE
		: [l] "=&r"(l), [t] "=&r"(t), [tp] "=&r"(tp)
		: PERCPU_ENTER_INPUTS, [object] "r"(object)
		: PERCPU_CLOBBERS
		: slow);
	percpu_edge();
	return true;
slow:
	percpu_edge();
	return false;
}

static force_inline bool percpu_push_tagged(const struct unit_tag *tag,
					    void *object)
{
	uint64_t lane, remote, tp;
	struct lane *l;
	void **t;

	asm volatile goto(
		PERCPU_SECTION("%l[slow]")
		PERCPU_EXIT("%l[slow]")
		PERCPU_ENTER_AREA(l, t, "%l[slow]") /* t = id */
		"ldrh %w[lane], [%[tag], %[tag_lane]]\n\t"
		"ldrh %w[remote], [%[tag], %[tag_remote]]\n\t"
		"ldrh %w[tp], [%[tag], %[tag_owner]]\n\t"
		"cmp %w[t], %w[tp]\n\t"		/* id == owner? */
		"csel %[lane], %[lane], %[remote], eq\n\t" /* no: remote */
		PERCPU_LANE(l)
		PUSH_TO_LANE
		: [l] "=&r"(l), [t] "=&r"(t), [tp] "=&r"(tp),
		  [lane] "=&r"(lane), [remote] "=&r"(remote)
		: PERCPU_AREA_INPUTS, [object] "r"(object), [tag] "r"(tag),
		  [tag_lane] "i"(offsetof(struct unit_tag, lane)),
		  [tag_remote] "i"(offsetof(struct unit_tag, remote)),
		  [tag_owner] "i"(offsetof(struct unit_tag, owner))
		: PERCPU_CLOBBERS
		: slow);
	percpu_edge();
	return true;
slow:
	percpu_edge();
	return false;
}

static force_inline int percpu_pop_batch(struct lane_offset lane, void **out,
					  unsigned most)
{
	uint64_t n, i, tp, x;
	struct lane *l;
	void **top;

	asm volatile goto(
		PERCPU_SECTION("%l[aborted]")
		PERCPU_EXIT("%l[none]")
		PERCPU_ENTER(l, n, "%l[none]")
		"ldr %[top], [%[l]]\n\t"	/* top = l->top */
		PERCPU_POINT(4)
		"ldr %[x], [%[top]]\n\t"	/* x = *top */
		"cbz %[x], %l[none]\n\t"	/* none: return 0 */
		"ldr %[tp], [%[l], #16]\n\t"	/* tp = l->slots */
		"add %[n], %[top], #8\n\t"	/* n = top + 1 */
		"sub %[n], %[n], %[tp]\n\t"	/* n -= slots */
		"lsr %[n], %[n], #3\n\t"
		"cmp %[n], %[most]\n\t"		/* n < most? */
		"csel %[n], %[n], %[most], lo\n\t" /* n = the smaller */
		"cbz %[n], %l[none]\n\t"	/* n == 0: return 0 */
		"sub %[top], %[top], %[n], lsl #3\n\t" /* top -= n */
		"add %[tp], %[top], #8\n\t"	/* tp = top + 1 */
		"mov %[i], #0\n"		/* i = 0 */
		"5:\tldr %[x], [%[tp], %[i], lsl #3]\n\t" /* x = tp[i] */
		"str %[x], [%[out], %[i], lsl #3]\n\t" /* out[i] = x */
		PERCPU_POINT(6)
		"add %[i], %[i], #1\n\t"	/* i += 1 */
		"cmp %[i], %[n]\n\t"		/* i < n? */
		"b.lo 5b\n\t"			/* again */
		PERCPU_POINT(5)
		"str %[top], [%[l]]\n"		/* l->top = top (commit) */
		"2:\n\t"
		: [l] "=&r"(l), [n] "=&r"(n), [top] "=&r"(top),
		  [i] "=&r"(i), [tp] "=&r"(tp), [x] "=&r"(x)
		: PERCPU_ENTER_INPUTS, [out] "r"(out),
		  [most] "r"((uint64_t)most)
		: PERCPU_CLOBBERS
		: none, aborted);
	percpu_edge();
	return (int)n;
none:
	percpu_edge();
	return 0;
aborted:
	percpu_edge();
	return -1;
}

static force_inline int percpu_push_batch(struct lane_offset lane,
					  void *const *in, unsigned most)
{
	uint64_t n, i, tp, x;
	struct lane *l;
	void **top;

	asm volatile goto(
		PERCPU_SECTION("%l[aborted]")
		PERCPU_EXIT("%l[none]")
		PERCPU_ENTER(l, n, "%l[none]")
		"ldp %[top], %[n], [%[l]]\n\t"	/* top; n = end */
		PERCPU_POINT(4)
		"subs %[n], %[n], %[top]\n\t"	/* n -= top */
		"b.ls %l[none]\n\t"		/* end <= top: 0 */
		"lsr %[n], %[n], #3\n\t"
		"cmp %[n], %[most]\n\t"		/* n < most? */
		"csel %[n], %[n], %[most], lo\n\t" /* n = the smaller */
		"cbz %[n], %l[none]\n\t"	/* n == 0: return 0 */
		"add %[tp], %[top], #8\n\t"	/* tp = top + 1 */
		"mov %[i], #0\n"		/* i = 0 */
		"5:\tldr %[x], [%[in], %[i], lsl #3]\n\t" /* x = in[i] */
		"str %[x], [%[tp], %[i], lsl #3]\n\t" /* tp[i] = x */
		PERCPU_POINT(6)
		"add %[i], %[i], #1\n\t"	/* i += 1 */
		"cmp %[i], %[n]\n\t"		/* i < n? */
		"b.lo 5b\n\t"			/* again */
		PERCPU_POINT(5)
		"add %[top], %[top], %[n], lsl #3\n\t" /* top += n */
		"str %[top], [%[l]]\n"		/* l->top = top (commit) */
		"2:\n\t"
		: [l] "=&r"(l), [n] "=&r"(n), [top] "=&r"(top),
		  [i] "=&r"(i), [tp] "=&r"(tp), [x] "=&r"(x)
		: PERCPU_ENTER_INPUTS, [in] "r"(in), [most] "r"((uint64_t)most)
		: PERCPU_CLOBBERS
		: none, aborted);
	percpu_edge();
	return (int)n;
none:
	percpu_edge();
	return 0;
aborted:
	percpu_edge();
	return -1;
}

/* r is the ring, t the place, then its slot; n and tp are scratch. */
static force_inline bool percpu_swap(const void *areas, uint64_t at,
				     void *object, void **old)
{
	uint64_t n, tp;
	void *x;
	char *r;
	void **t;

	asm volatile goto(
		PERCPU_SECTION("%l[slow]")
		PERCPU_EXIT("%l[slow]")
		PERCPU_ENTER_ID(r, t, "%l[slow]") /* t = id */
		"ldr %[r], [%[areas], %[t], lsl #3]\n\t" /* r = areas[id] */
		PERCPU_POINT(3)
		"cmp %[r], %[none]\n\t"	/* r <= none? */
		"b.ls %l[slow]\n\t"		/* fail */
		"add %[r], %[r], %[at]\n\t"	/* r += at */
		"ldr %[t], [%[r]]\n\t"		/* t = r->place */
		PERCPU_POINT(4)
		"ldr %[tp], [%[r], #8]\n\t"	/* tp = r->mask */
		"add %[n], %[t], #8\n\t"	/* n = t + 1 */
		"and %[n], %[n], %[tp]\n\t"	/* n &= tp */
		"str %[n], [%[r]]\n\t"		/* r->place = n */
		PERCPU_POINT(6)
		"ldr %[tp], [%[r], #16]\n\t"	/* tp = r->slots */
		"ldr %[x], [%[tp], %[n]]\n\t"	/* x = tp[n] */
		"prfm pldl1keep, [%[x]]\n\t"	/* prefetch x */
		"add %[t], %[t], %[tp]\n\t"	/* t += tp */
		"ldr %[x], [%[t]]\n\t"		/* x = *t */
		PERCPU_POINT(5)
		"str %[object], [%[t]]\n"	/* *t = object (commit) */
		"2:\n\t"
		: [x] "=&r"(x), [r] "=&r"(r), [t] "=&r"(t), [n] "=&r"(n),
		  [tp] "=&r"(tp)
		: [rseq_cs] "r"(anchor.rseq_cs), [id] "r"(anchor.id),
		  [words] "i"(REGION_TABLE_WORDS), [none] "i"(PERCPU_NO_AREA),
		  [areas] "r"(areas), [at] "r"(at), [object] "r"(object)
		: PERCPU_CLOBBERS
		: slow);
	percpu_edge();
	*old = x;
	return true;
slow:
	percpu_edge();
	return false;
}

/* t is scratch; self is in operand [self]. */
#define PERCPU_ENTER_CHECKED(t, lost)                                     \
	"adrp %[" #t "], 3b\n\t"		/* t = &descriptor */     \
	"add %[" #t "], %[" #t "], #:lo12:3b\n\t"                         \
	"str %[" #t "], [%[self], %[cs]]\n"	/* arm: rseq_cs = t */    \
	"1:\t" PERCPU_POINT(7)                                            \
	"ldr %[" #t "], [%[lease]]\n\t"		/* t = *lease */          \
	"cmp %[" #t "], %[mine]\n\t"		/* t != mine? */          \
	"b.ne " lost "\n\t"			/* lost */                \
	PERCPU_POINT(8)

#define PERCPU_ENTER_CHECKED_INPUTS                                       \
	[self] "r"(self), [lease] "r"(lease), [mine] "r"(mine),           \
		[cs] "i"(offsetof(struct rseq_area, rseq_cs))

static force_inline enum percpu_result
percpu_pop_checked(struct rseq_area *self, struct lane *l,
		   _Atomic(uint64_t) *lease, uint64_t mine, void **object)
{
	void **top, *x;

	asm volatile goto(
		PERCPU_SECTION("%l[aborted]")
		PERCPU_EXIT("%l[lost]")
		PERCPU_EXIT("%l[empty]")
		PERCPU_ENTER_CHECKED(top, "%l[lost]")
		"ldr %[top], [%[l]]\n\t"	/* top = l->top */
		"ldr %[x], [%[top]], #-8\n\t"	/* x = *top; top -= 1 */
		"cbz %[x], %l[empty]\n\t"	/* none: empty */
		PERCPU_POINT(9)
		"str %[top], [%[l]]\n"		/* l->top = top (commit) */
		"2:\n\t"
		: [top] "=&r"(top), [x] "=&r"(x)
		: PERCPU_ENTER_CHECKED_INPUTS, [l] "r"(l)
		: PERCPU_CLOBBERS
		: lost, empty, aborted);
	percpu_edge();
	*object = x;
	return PERCPU_DONE;
lost:
	percpu_edge();
	return PERCPU_LOST;
empty:
	percpu_edge();
	return PERCPU_EMPTY;
aborted:
	percpu_edge();
	return PERCPU_ABORT;
}

/* word: 64 bits, plain or atomic. */
static force_inline enum percpu_result
percpu_store_checked(struct rseq_area *self, volatile void *word,
		     uint64_t value, _Atomic(uint64_t) *lease, uint64_t mine)
{
	uint64_t t;

	asm volatile goto(
		PERCPU_SECTION("%l[aborted]")
		PERCPU_EXIT("%l[lost]")
		PERCPU_ENTER_CHECKED(t, "%l[lost]")
		PERCPU_POINT(9)
		"stlr %[value], [%[word]]\n"	/* *word = value (commit) */
		"2:\n\t"
		: [t] "=&r"(t)
		: PERCPU_ENTER_CHECKED_INPUTS, [word] "r"(word),
		  [value] "r"(value)
		: PERCPU_CLOBBERS
		: lost, aborted);
	percpu_edge();
	return PERCPU_DONE;
lost:
	percpu_edge();
	return PERCPU_LOST;
aborted:
	percpu_edge();
	return PERCPU_ABORT;
}

/* For rseq_kernel_aborts(): a section that only watches a word.
 *
 *	percpu_watch(self, cpu, word, most):
 *		if (cpu_id != cpu) -> PERCPU_LOST
 *		seen = *word
 *		at most `most` times: if (*word != seen) -> PERCPU_DONE
 *		-> PERCPU_EMPTY			abort -> PERCPU_ABORT
 */
static force_inline enum percpu_result percpu_watch(struct rseq_area *self,
						     uint32_t cpu,
						     _Atomic(uint64_t) *word,
						     uint64_t most)
{
	uint64_t t, seen;

	asm volatile goto(
		PERCPU_SECTION("%l[aborted]")
		PERCPU_EXIT("%l[lost]")
		PERCPU_EXIT("%l[empty]")
		"adrp %[t], 3b\n\t"		/* t = &descriptor */
		"add %[t], %[t], #:lo12:3b\n\t"
		"str %[t], [%[self], %[cs]]\n"	/* arm: rseq_cs = t */
		"1:\tldr %w[t], [%[self], %[id]]\n\t" /* t = cpu_id */
		"cmp %w[t], %w[cpu]\n\t"	/* t != cpu? */
		"b.ne %l[lost]\n\t"		/* lost */
		"ldr %[seen], [%[word]]\n"	/* seen = *word */
		"5:\tldr %[t], [%[word]]\n\t"	/* t = *word */
		"cmp %[t], %[seen]\n\t"	/* t != seen? */
		"b.ne 2f\n\t"			/* done */
		"isb\n\t"			/* some 20 ns */
		"subs %[most], %[most], #1\n\t" /* most -= 1 */
		"b.ne 5b\n\t"			/* again */
		"b %l[empty]\n"			/* empty */
		"2:\n\t"
		: [most] "+&r"(most), [t] "=&r"(t), [seen] "=&r"(seen)
		: [self] "r"(self), [cpu] "r"(cpu), [word] "r"(word),
		  [cs] "i"(offsetof(struct rseq_area, rseq_cs)),
		  [id] "i"(offsetof(struct rseq_area, cpu_id))
		: "memory", "cc"
		: lost, empty, aborted);
	percpu_edge();
	return PERCPU_DONE;
lost:
	percpu_edge();
	return PERCPU_LOST;
empty:
	percpu_edge();
	return PERCPU_EMPTY;
aborted:
	percpu_edge();
	return PERCPU_ABORT;
}

static force_inline char *percpu_thread_pointer(void)
{
	char *tp;

	asm("mrs %0, tpidr_el0" : "=r"(tp));
	return tp;
}

#endif
