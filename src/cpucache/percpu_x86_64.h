/* layer 4.1: percpu for x86-64: the sections of percpu.h
 *
 * Local labels mean the same in every section:
 *
 *	1	first instruction of the section
 *	2	first instruction behind the commit, the section's last one
 *	3	the descriptor, in __rseq_cs, which is never unmapped
 *	4	the abort handler, in __rseq_failure, behind the signature
 *
 * When the kernel interrupts a thread whose rseq_cs names a descriptor, and
 * the instruction pointer lies in [1, 2), it clears rseq_cs and moves the
 * instruction pointer to 4. Nothing undoes what the section did before: it
 * may write only registers (all of them outputs here), the caller's own
 * memory, slots above the top and the area's count, of which an abort may lose
 * a size. The commit is one store.
 *
 * rseq_cs stays armed behind a section; the kernel then finds the instruction
 * pointer outside and clears it. What a section reads, it reads after the arm
 * and so on one CPU, but for the constants of anchor.
 */
#ifndef LANE_PERCPU_X86_64_H
#define LANE_PERCPU_X86_64_H

#include "base/atomic.h"

#define PERCPU_SIGNATURE 0x53053053

/* Kernel releases that do not abort as documented, inclusive, as major << 16
 * | minor << 8 | patch. None: the first is above the last. */
#define PERCPU_BROKEN_FIRST 1
#define PERCPU_BROKEN_LAST 0

/* The signature is the operand of a ud1, which traps wherever it is run. */
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
	".byte 0x0f, 0xb9, 0x3d\n\t" /* ud1 signature(%rip), %edi */      \
	".long 0x53053053\n"                                              \
	"4:\tjmp " abort "\n\t"                                           \
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
	"movl percpu_inject + 4 * " #n "(%%rip), %%r11d\n\t"              \
	"testl %%r11d, %%r11d\n\t"                                        \
	"jz 9f\n"                                                         \
	"8:\tdecl %%r11d\n\t"                                             \
	"jnz 8b\n"                                                        \
	"9:\n\t"
#define PERCPU_CLOBBERS "memory", "cc", "r11"
#else
#define PERCPU_POINT(n)
#define PERCPU_CLOBBERS "memory", "cc"
#endif

/* Operands l = area + lane; t is scratch. cpu_id lies 4 below rseq_cs. */
#define PERCPU_ENTER(l, t, fail) PERCPU_ENTER_AREA(l, t, fail) PERCPU_LANE(l)
#define PERCPU_LANE(l)                                                    \
	"leaq (%[" #l "], %[lane], 8), %[" #l "]\n\t" /* l += lane */
#define PERCPU_ENTER_AREA(l, t, fail) PERCPU_ENTER_ID(l, t, fail)         \
	"movq %[base], %[" #l "]\n\t"		/* l = base */            \
	"addq %c[table](%[" #l "], %[" #t "], 8), %[" #l "]\n\t"          \
						/* l += table[id] */      \
	PERCPU_POINT(3)
#define PERCPU_ENTER_ID(l, t, fail)                                       \
	"movq %[rseq_cs], %[" #t "]\n\t"	/* t = anchor.rseq_cs */  \
	"leaq 3b(%%rip), %[" #l "]\n\t"		/* l = &descriptor */     \
	"movq %[" #l "], %%fs:(%[" #t "])\n"	/* arm: rseq_cs = l */    \
	"1:\t" PERCPU_POINT(0)                                            \
	"cmpl %[words], %%fs:-4(%[" #t "])\n\t" /* cpu_id >= words? */    \
	"jae " fail "\n\t"			/* fail */                \
	PERCPU_POINT(1)                                                   \
	"movq %[id], %[" #t "]\n\t"		/* t = anchor.id */       \
	"movl %%fs:(%[" #t "]), %k[" #t "]\n\t" /* t = id */              \
	PERCPU_POINT(2)

#define PERCPU_AREA_INPUTS                                                \
	[rseq_cs] "m"(anchor.rseq_cs), [id] "m"(anchor.id),               \
		[base] "m"(anchor.base), [words] "i"(REGION_TABLE_WORDS), \
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

	asm volatile goto(
		PERCPU_SECTION("%l[slow]")
		PERCPU_EXIT("%l[slow]")
		PERCPU_ENTER(l, top, "%l[slow]")
		"movq (%[l]), %[top]\n\t"	/* top = l->top */
		PERCPU_POINT(4)
		"movq (%[top]), %[object]\n\t"	/* object = *top */
		"subq $8, %[top]\n\t"		/* top -= 1 */
		"testq %[object], %[object]\n\t" /* none? */
		"jz %l[slow]\n\t"		/* fail */
		PERCPU_POINT(5)
		"movq %[top], (%[l])\n"		/* l->top = top (commit) */
		"2:\n\t"
		: [object] "=&a"(object), [l] "=&r"(l), [top] "=&r"(top)
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
	uint64_t lane_at = lane.words;
	char *area;
	void *object;
	void **top;

	asm volatile goto(
		PERCPU_SECTION("%l[slow]")
		PERCPU_EXIT("%l[slow]")
		PERCPU_ENTER_AREA(area, top, "%l[slow]")
		"leaq (%[area], %[l], 8), %[l]\n\t" /* l = area + lane */
		"movq (%[l]), %[top]\n\t"	/* top = l->top */
		PERCPU_POINT(4)
		"movq (%[top]), %[object]\n\t"	/* object = *top */
		"subq $8, %[top]\n\t"		/* top -= 1 */
		"testq %[object], %[object]\n\t" /* none? */
		"jz %l[slow]\n\t"		/* fail */
		PERCPU_POINT(5)
		"subq %[size], %c[count](%[area])\n\t" /* count -= size */
		"js %l[slow]\n\t"		/* used up: fail */
		PERCPU_POINT(6)
		"movq %[top], (%[l])\n"		/* l->top = top (commit) */
		"2:\n\t"
		: [object] "=&a"(object), [area] "=&r"(area),
		  [top] "=&r"(top), [l] "+&r"(lane_at)
		: PERCPU_AREA_INPUTS, [size] "r"(size),
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
	"movq (%[l]), %[t]\n\t"		/* t = l->top */               \
	PERCPU_POINT(4)                                                   \
	"cmpq 8(%[l]), %[t]\n\t"	/* t >= l->end? */             \
	"jae %l[slow]\n\t"		/* fail */                     \
	"cmpq %[object], (%[t])\n\t"	/* *t == object? */            \
	"je %l[slow]\n\t"		/* fail */                     \
	"movq %[object], 8(%[t])\n\t"	/* t[1] = object */            \
	PERCPU_POINT(5)                                                   \
	"addq $8, %[t]\n\t"		/* t += 1 */                   \
	"movq %[t], (%[l])\n"		/* l->top = t (commit) */      \
	"2:\n\t"

static force_inline bool percpu_push(struct lane_offset lane, void *object)
{
	struct lane *l;
	void **t;

	asm volatile goto(
		PERCPU_SECTION("%l[slow]")
		PERCPU_EXIT("%l[slow]")
		PERCPU_ENTER(l, t, "%l[slow]")
		PUSH_TO_LANE
		: [l] "=&r"(l), [t] "=&r"(t)
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
	struct lane *l;
	uint64_t lane;
	void **t;

	asm volatile goto(
		PERCPU_SECTION("%l[slow]")
		PERCPU_EXIT("%l[slow]")
		PERCPU_ENTER_AREA(l, t, "%l[slow]") /* t = id */
		"movzwl %c[tag_lane](%[tag]), %k[lane]\n\t"
		"cmpw %w[t], %c[tag_owner](%[tag])\n\t" /* id == owner? */
		"cmovnew %c[tag_remote](%[tag]), %w[lane]\n\t" /* no: remote */
		PERCPU_LANE(l)
		PUSH_TO_LANE
		: [l] "=&r"(l), [t] "=&r"(t), [lane] "=&r"(lane)
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
	struct lane *l;
	uint64_t n, i;
	void **top;

	asm volatile goto(
		PERCPU_SECTION("%l[aborted]")
		PERCPU_EXIT("%l[none]")
		PERCPU_ENTER(l, n, "%l[none]")
		"movq (%[l]), %[top]\n\t"	/* top = l->top */
		PERCPU_POINT(4)
		"cmpq $0, (%[top])\n\t"		/* none there? */
		"je %l[none]\n\t"		/* return 0 */
		"leaq 8(%[top]), %[n]\n\t"	/* n = top + 1 */
		"subq 16(%[l]), %[n]\n\t"	/* n -= l->slots */
		"shrq $3, %[n]\n\t"
		"cmpq %[most], %[n]\n\t"	/* n > most? */
		"cmovaq %[most], %[n]\n\t"	/* n = most */
		"testq %[n], %[n]\n\t"		/* n == 0? */
		"jz %l[none]\n\t"		/* return 0 */
		"leaq (, %[n], 8), %[i]\n\t"
		"subq %[i], %[top]\n\t"	/* top -= n */
		"xorl %k[i], %k[i]\n"		/* i = 0 */
		"5:\tmovq 8(%[top], %[i], 8), %%rax\n\t" /* x = top[1 + i] */
		"movq %%rax, (%[out], %[i], 8)\n\t" /* out[i] = x */
		PERCPU_POINT(6)
		"incq %[i]\n\t"			/* i += 1 */
		"cmpq %[n], %[i]\n\t"		/* i < n? */
		"jb 5b\n\t"			/* again */
		PERCPU_POINT(5)
		"movq %[top], (%[l])\n"		/* l->top = top (commit) */
		"2:\n\t"
		: [l] "=&r"(l), [n] "=&r"(n), [top] "=&r"(top), [i] "=&r"(i)
		: PERCPU_ENTER_INPUTS, [out] "r"(out),
		  [most] "r"((uint64_t)most)
		: PERCPU_CLOBBERS, "rax"
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
	struct lane *l;
	uint64_t n, i;
	void **top;

	asm volatile goto(
		PERCPU_SECTION("%l[aborted]")
		PERCPU_EXIT("%l[none]")
		PERCPU_ENTER(l, n, "%l[none]")
		"movq (%[l]), %[top]\n\t"	/* top = l->top */
		PERCPU_POINT(4)
		"movq 8(%[l]), %[n]\n\t"	/* n = l->end */
		"subq %[top], %[n]\n\t"	/* n -= top */
		"jbe %l[none]\n\t"		/* end <= top: 0 */
		"shrq $3, %[n]\n\t"
		"cmpq %[most], %[n]\n\t"	/* n > most? */
		"cmovaq %[most], %[n]\n\t"	/* n = most */
		"testq %[n], %[n]\n\t"		/* n == 0? */
		"jz %l[none]\n\t"		/* return 0 */
		"xorl %k[i], %k[i]\n"		/* i = 0 */
		"5:\tmovq (%[in], %[i], 8), %%rax\n\t" /* x = in[i] */
		"movq %%rax, 8(%[top], %[i], 8)\n\t" /* top[1 + i] = x */
		PERCPU_POINT(6)
		"incq %[i]\n\t"			/* i += 1 */
		"cmpq %[n], %[i]\n\t"		/* i < n? */
		"jb 5b\n\t"			/* again */
		PERCPU_POINT(5)
		"leaq (%[top], %[n], 8), %[top]\n\t" /* top += n */
		"movq %[top], (%[l])\n"		/* l->top = top (commit) */
		"2:\n\t"
		: [l] "=&r"(l), [n] "=&r"(n), [top] "=&r"(top), [i] "=&r"(i)
		: PERCPU_ENTER_INPUTS, [in] "r"(in), [most] "r"((uint64_t)most)
		: PERCPU_CLOBBERS, "rax"
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

/* r is the ring, t the place, then its slot. */
static force_inline bool percpu_swap(const void *areas, uint64_t at,
				     void *object, void **old)
{
	uint64_t n;
	void *x;
	char *r;
	void **t;

	asm volatile goto(
		PERCPU_SECTION("%l[slow]")
		PERCPU_EXIT("%l[slow]")
		PERCPU_ENTER_ID(r, t, "%l[slow]") /* t = id */
		"movq (%[areas], %[t], 8), %[r]\n\t" /* r = areas[id] */
		PERCPU_POINT(3)
		"cmpq %[none], %[r]\n\t"	/* r <= none? */
		"jbe %l[slow]\n\t"		/* fail */
		"addq %[at], %[r]\n\t"		/* r += at */
		"movq (%[r]), %[t]\n\t"	/* t = r->place */
		PERCPU_POINT(4)
		"leaq 8(%[t]), %[n]\n\t"	/* n = t + 1 */
		"andq 8(%[r]), %[n]\n\t"	/* n &= r->mask */
		"movq %[n], (%[r])\n\t"	/* r->place = n */
		PERCPU_POINT(6)
		"movq 16(%[r]), %[r]\n\t"	/* r = r->slots */
		"movq (%[r], %[n]), %[x]\n\t"	/* x = r[n] */
		"prefetcht0 (%[x])\n\t"	/* prefetch x */
		"addq %[r], %[t]\n\t"		/* t += r */
		"movq (%[t]), %[x]\n\t"	/* x = *t */
		PERCPU_POINT(5)
		"movq %[object], (%[t])\n"	/* *t = object (commit) */
		"2:\n\t"
		: [x] "=&r"(x), [r] "=&r"(r), [t] "=&r"(t), [n] "=&r"(n)
		: [rseq_cs] "m"(anchor.rseq_cs), [id] "m"(anchor.id),
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
	"leaq 3b(%%rip), %[" #t "]\n\t"		/* t = &descriptor */     \
	"movq %[" #t "], %c[cs](%[self])\n"	/* arm: rseq_cs = t */    \
	"1:\t" PERCPU_POINT(7)                                            \
	"cmpq %[mine], (%[lease])\n\t"		/* *lease != mine? */     \
	"jne " lost "\n\t"			/* lost */                \
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
		"movq (%[l]), %[top]\n\t"	/* top = l->top */
		"movq (%[top]), %[x]\n\t"	/* x = *top */
		"testq %[x], %[x]\n\t"		/* none? */
		"jz %l[empty]\n\t"		/* empty */
		PERCPU_POINT(9)
		"subq $8, %[top]\n\t"		/* top -= 1 */
		"movq %[top], (%[l])\n"		/* l->top = top (commit) */
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
		"movq %[value], (%[word])\n"	/* *word = value (commit) */
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
	uint64_t seen;

	asm volatile goto(
		PERCPU_SECTION("%l[aborted]")
		PERCPU_EXIT("%l[lost]")
		PERCPU_EXIT("%l[empty]")
		"leaq 3b(%%rip), %[seen]\n\t"	/* seen = &descriptor */
		"movq %[seen], %c[cs](%[self])\n" /* arm: rseq_cs = seen */
		"1:\tcmpl %[cpu], %c[id](%[self])\n\t" /* cpu_id != cpu? */
		"jne %l[lost]\n\t"		/* lost */
		"movq (%[word]), %[seen]\n"	/* seen = *word */
		"5:\tcmpq (%[word]), %[seen]\n\t" /* *word != seen? */
		"jne 2f\n\t"			/* done */
		"pause\n\t"
		"decq %[most]\n\t"		/* most -= 1 */
		"jnz 5b\n\t"			/* again */
		"jmp %l[empty]\n"		/* empty */
		"2:\n\t"
		: [most] "+&r"(most), [seen] "=&r"(seen)
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

	asm("movq %%fs:0, %0" : "=r"(tp));
	return tp;
}

#endif
