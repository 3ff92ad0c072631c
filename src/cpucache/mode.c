/* layer 4.3: mode: the decision for a mode
 *
 * The decision is made once: the first thread that finishes its look around
 * publishes it by one CAS, and every thread in rseq_start() then stores what
 * that decision says. Nobody waits, nobody returns before anchor is set, and
 * a thread that dies in between leaves a decision that the next one applies.
 *
 *	undecided --cas--> decided --every caller--> applied (why is set)
 */
#include "cpucache/mode.h"

#include <errno.h>

#include "base/atomic.h"
#include "cpucache/rseq_own.h"
#include "system/config.h"
#include "system/cpus.h"
#include "system/environ.h"
#include "system/nodes.h"
#include "system/system.h"

#define AUX_RSEQ_FEATURE_SIZE 27
#define FEATURES_MM_CID 28 /* end of mm_cid */

/* libc's, since glibc 2.35. */
extern const ptrdiff_t __rseq_offset weak_import;
extern const unsigned int __rseq_size weak_import;

/* What anchor.rseq_cs leads to in direct mode. */
static __thread struct rseq_area unregistered_area = {
	.cpu_id = RSEQ_NEW_THREAD,
};

/* Decisions: X(name, mode, why) */
#define DECISIONS(X)                                                        \
	X(OFF, MODE_DIRECT, "direct: rseq is switched off by option")       \
	X(NO_LIBC, MODE_DIRECT, "direct: this libc does not register rseq") \
	X(NOT_DONE, MODE_DIRECT,                                            \
	  "direct: libc did not register rseq (glibc.pthread.rseq=0, or "   \
	  "the kernel refused)")                                            \
	X(NO_CPU, MODE_DIRECT, "direct: the kernel gives no CPU number")    \
	X(MANY_CPUS, MODE_DIRECT,                                           \
	  "direct: more CPU numbers than the table has words")              \
	X(BROKEN, MODE_DIRECT,                                              \
	  "direct: this kernel release does not abort sections")            \
	X(MM_CID, MODE_MM_CID, "mm_cid: the kernel fills it")               \
	X(CPU_ID, MODE_CPU_ID, "cpu_id: the kernel does not fill mm_cid")   \
	X(CPU_ID_OPTION, MODE_CPU_ID, "cpu_id: by option")                  \
	X(CPU_ID_NODES, MODE_CPU_ID, "cpu_id: memory has several nodes")

enum decision {
	UNDECIDED,
#define DECISION_NAME(name, mode, why) DECIDED_##name,
	DECISIONS(DECISION_NAME)
#undef DECISION_NAME
};

/* clang-format off */
static const struct {
	uint32_t mode;
	const char *why;
} decisions[] = {
	{ MODE_DIRECT, NULL },
#define DECISION_ROW(name, mode, why) { mode, why },
	DECISIONS(DECISION_ROW)
#undef DECISION_ROW
};
/* clang-format on */

static _Atomic(uint32_t) decided; /* atomic: enum decision; set once */

/* What the decision depends on. */
struct facts {
	bool wanted;
	bool libc_knows;
	unsigned libc_size;
	uint32_t cpu_id;
	unsigned nr_cpus;
	bool broken;
	unsigned long feature_size;
	uint64_t index; /* enum config_index */
	unsigned nr_nodes;
};

/* Reads the number at *text, at most 255; *text then stands behind it and a
 * dot. */
static uint32_t release_number(const char **text)
{
	uint32_t n = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++)
		n = n < 255 ? n * 10 + (uint32_t)(**text - '0') : n;
	*text += **text == '.';
	return n < 255 ? n : 255;
}

/* "6.19.3-rc1-foo" is 0x061303. */
static uint32_t release_key(const char *text)
{
	uint32_t major = release_number(&text);
	uint32_t minor = release_number(&text);

	return major << 16 | minor << 8 | release_number(&text);
}

static bool release_broken(uint32_t key, uint32_t first, uint32_t last)
{
	return key >= first && key <= last;
}

static bool kernel_broken(void)
{
	char release[SYSTEM_RELEASE_SIZE];

	if (system_kernel_release(release))
		return false;
	return release_broken(release_key(release), PERCPU_BROKEN_FIRST,
			      PERCPU_BROKEN_LAST);
}

/* glibc 2.35 to 2.40 announce 20 or 32 bytes of the 32 that the kernel
 * fills as far as the auxiliary vector says. */
static bool fills_mm_cid(const struct facts *f)
{
	return f->feature_size >= FEATURES_MM_CID &&
	       (f->libc_size >= FEATURES_MM_CID || f->libc_size == 20);
}

static enum decision decide(const struct facts *f)
{
	if (!f->wanted)
		return DECIDED_OFF;
	if (!f->libc_knows)
		return DECIDED_NO_LIBC;
	if (!f->libc_size)
		return DECIDED_NOT_DONE;
	if (f->cpu_id >= REGION_TABLE_WORDS)
		return DECIDED_NO_CPU;
	if (f->nr_cpus > REGION_TABLE_WORDS)
		return DECIDED_MANY_CPUS;
	if (f->broken)
		return DECIDED_BROKEN;
	if (f->index == INDEX_CPU_ID)
		return DECIDED_CPU_ID_OPTION;
	if (!fills_mm_cid(f))
		return DECIDED_CPU_ID;
	/* A thread takes its mm_cid along, and others come after it. */
	if (f->nr_nodes > 1 && f->index == INDEX_AUTO)
		return DECIDED_CPU_ID_NODES;
	return DECIDED_MM_CID;
}

/* getauxval() sets errno for what the kernel does not tell. */
static unsigned long feature_size(void)
{
	int saved = errno;
	unsigned long size = 0;

	if (getauxval)
		size = getauxval(AUX_RSEQ_FEATURE_SIZE);
	errno = saved;
	return size;
}

static int64_t libc_rseq_cs(void)
{
	return __rseq_offset + (int64_t)offsetof(struct rseq_area, rseq_cs);
}

static bool threads_register(void)
{
	return rseq_own_state && rseq_own_state() == RSEQ_OWN_READY;
}

/* Finds the area that somebody registers: the threads themselves, or libc. */
static int64_t registered_rseq_cs(void)
{
	return threads_register() ? rseq_own_cs() : libc_rseq_cs();
}

static int64_t unregistered_rseq_cs(void)
{
	return (char *)&unregistered_area.rseq_cs - percpu_thread_pointer();
}

static void collect_facts(struct facts *f)
{
	*f = (struct facts){
		.wanted = config.rseq,
		.libc_knows = &__rseq_offset && &__rseq_size,
		.cpu_id = RSEQ_NEW_THREAD,
		.nr_cpus = system_nr_cpus(),
		.broken = kernel_broken(),
		.feature_size = feature_size(),
		.index = config.index,
		.nr_nodes = nodes_read(),
	};
	if (threads_register()) {
		f->libc_knows = true;
		f->libc_size = RSEQ_AREA_SIZE;
		f->cpu_id = 0; /* the first thread has one */
	} else if (f->libc_knows) {
		f->libc_size = __rseq_size;
		if (f->libc_size)
			f->cpu_id =
				rseq_area_cpu_id(rseq_area_at(libc_rseq_cs()));
	}
}

/* Returns as many ids as CPUs, by which the threads of direct mode spread. */
static unsigned nr_direct_ids(void)
{
	int nr = system_nr_usable_cpus();

	return nr > 0 ? (unsigned)nr : 1;
}

static void apply(enum decision decision, const struct facts *f)
{
	uint32_t mode = decisions[decision].mode;
	int64_t cs = mode == MODE_DIRECT ? unregistered_rseq_cs() :
					   registered_rseq_cs();
	size_t id = mode == MODE_MM_CID ? offsetof(struct rseq_area, mm_cid) :
					  offsetof(struct rseq_area, cpu_id);

	anchor.rseq_cs = cs;
	anchor.id = cs + (int64_t)id -
		    (int64_t)offsetof(struct rseq_area, rseq_cs);
	rseq_state.node_ids = fills_mm_cid(f); /* as old as that */
	nodes_use(mode == MODE_CPU_ID && f->nr_nodes > 1);
	rseq_state.nr_cpus = nr_direct_ids();
	rseq_state.fence = !system_rseq_fence_register();
	store_relaxed(&rseq_state.mode, mode); // before publish
	// [rseq.why] with rseq_start(): anchor and the state are set
	store_release(&rseq_state.why, decisions[decision].why);
}

void rseq_start(void)
{
	uint32_t decision = UNDECIDED;
	struct facts facts;

	// [rseq.why] with apply(): anchor and the state are set
	if (load_acquire(&rseq_state.why) || !rseq_libc_ready())
		return;
	collect_facts(&facts);
	// own: a decision is a plain number, equal for all
	if (cas_relaxed(&decided, &decision, decide(&facts)))
		decision = load_relaxed(&decided); // own
	apply(decision, &facts);
}

bool rseq_libc_ready(void)
{
	return environ_is_there() &&
	       (!rseq_own_state || rseq_own_state() != RSEQ_OWN_NEW);
}

/* Only the first of the two words changes: a section that loaded them around
 * the change reads the real id behind an area that fails it. */
void rseq_give_up(const char *why)
{
	store_once(&anchor.rseq_cs, unregistered_rseq_cs());
	store_relaxed(&rseq_state.mode, MODE_DIRECT); // hint
	nodes_use(false);
	// [rseq.why] with rseq_start(): anchor and the state are set
	store_release(&rseq_state.why, why);
}
