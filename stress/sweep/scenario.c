/* scenario: the circumstances under which the load runs, each for some part
 * of the library that the others leave aside. An instruction is swept in the
 * first scenario that reaches it often.
 */
#include "sweep.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "pageheap/region.h"
#include "../harness/memory.h"
#include "../harness/raw.h"
#include "system/place.h"
#include "system/sealed.h"

const struct scenario scenarios[] = {
	/* The heap that the server warmed up, with frequent purges. */
	{ .name = "warm" },
	/* All of start-up, by several threads at once, and no memory kept. */
	{ .name = "cold",
	  .conf = "reclaimer=0,purge_delay=1,purge_budget=0,cpu_cache=256k",
	  .reset = true },
	{ .name = "direct", .conf = "reclaimer=0,rseq=0", .reset = true },
	{ .name = "cpu_id",
	  .conf = "reclaimer=0,index=cpu_id,hugepage=auto,purge_delay=1",
	  .reset = true },
	/* Every option that changes the way; warnings; the print-outs. */
	{ .name = "checked",
	  .conf = "@stress/sweep/options.conf,@/nowhere,verbose=yes,stats=1,"
		  "map_names=1,profile_dir=build/sweep,checks=1,"
		  "usable=requested,hugepage=on,reclaimer=0,"
		  "nonsense=1,purge_delay=99999999g,cpu_cache=x,=,"
		  "index=none,purge_budget=1m,,hugepage=b\na\nd,stats=,"
		  "purge_delay=99999999999999999999,cpu_cache=m,cpu_cache=99g,"
		  "quarantine=4m",
	  .reset = true, .crowded = true, .constructors = true, .waits = 24 },
	/* The lanes' way through the cold halves. */
	{ .name = "marked", .conf = "reclaimer=0,checks=fast,purge_delay=1",
	  .reset = true, .crowded = true },
	/* Every few allocations a sample. */
	{ .name = "profiled",
	  .conf = "reclaimer=0,profile=1,profile_interval=2k,"
		  "profile_memory=1m,profile_dir=build/sweep", .reset = true,
	  .constructors = true },
	/* Every few samples between guards; what is amiss is told, and the
	 * program goes on. */
	{ .name = "guarded",
	  .conf = "reclaimer=0,guard=1,profile_interval=2k,guard_recover=1,"
		  "report_file=/dev/null",
	  .reset = true, .constructors = true, .amiss = true,
	  .outside = true },
	/* What was freed waits before it serves again. */
	{ .name = "filled",
	  .conf = "reclaimer=0,checks=full,quarantine=1m,profile_interval=2k",
	  .waits = 6,
	  .reset = true, .outside = true },
	{ .name = "hardened",
	  .conf = "reclaimer=0,hardened=1,profile_interval=2k",
	  .reset = true, .outside = true },
	/* A guard behind each large block, by a kernel without MADV_GUARD. */
	{ .name = "walled", .conf = "reclaimer=0,large_guard=all,checks=fast",
	  .reset = true, .refuse_guards = true },
	{ .name = "plain",
	  .conf = "reclaimer=off,stats=on,hugepage=off,deepbind=1,"
		  "large_guard=off,numa=off,",
	  .reset = true, .close_stderr = true, .constructors = true },
	/* The library's threads: the reclaimer, the kernel test's helper. */
	{ .name = "threads",
	  .conf = "reclaimer=1,purge_delay=1,purge_budget=64k", .reset = true,
	  .constructors = true, .linger = 160 },
	/* A helper that watches the first thread, and must be gone before the
	 * program's rights change; then a sandbox, as far as is known. */
	{ .name = "rights",
	  .conf = "reclaimer=1,purge_delay=1,purge_budget=64k", .reset = true,
	  .prepared = true, .rights = true, .no_measure = true, .linger = 40 },
	/* More regions than one. */
	{ .name = "crowded",
	  .conf = "reclaimer=0,purge_delay=1,purge_budget=64k", .reset = true,
	  .crowded = true },
	/* As many as there may be; then no addresses for others. */
	{ .name = "full", .conf = "reclaimer=0", .reset = true, .crowded = true,
	  .full = true, .no_measure = true },
	/* Small regions, and more of them. */
	{ .name = "limited", .conf = "reclaimer=0", .reset = true,
	  .crowded = true, .limit = 120, .no_measure = true },
	{ .name = "tight",
	  .conf = "reclaimer=0,purge_budget=0,checks=on,check_pairs=0,"
		  "check_stacks=0",
	  .reset = true, .limit = 36, .no_measure = true },
	/* The library's own limits: the hard one in the way again and again,
	 * the soft one passed. */
	{ .name = "bounded",
	  .conf = "reclaimer=0,purge_delay=1,limit_hard=24m,limit_soft=8m,"
		  "limit=cgroup,cpu_cache=256k,verbose=1", .reset = true,
	  .no_measure = true },
	/* No CPU has a cache. */
	{ .name = "bare", .conf = "reclaimer=1", .reset = true,
	  .refuse_caches = true },
	/* Room for a region, but not for all CPU caches. */
	{ .name = "cramped", .conf = "reclaimer=0", .reset = true, .limit = 9,
	  .no_measure = true },
	{ .name = "refused", .conf = "reclaimer=1,purge_delay=1,purge_budget=0",
	  .reset = true, .crowded = true, .refuse_late = true,
	  .no_measure = true },
	/* Before libc is ready, as in other libraries' first calls. */
	{ .name = "early", .conf = "reclaimer=0,purge_delay=1", .reset = true,
	  .early = true },
	/* A second is half a millisecond: whatever expires, expires. */
	{ .name = "hasty", .conf = "reclaimer=1,purge_delay=500,purge_budget=0",
	  .reset = true, .prepared = true, .hasty = true, .refuse_area = true,
	  .outside = true, .linger = 30 },
	/* Nor a thread for the reclaimer. */
	{ .name = "no-fence", .conf = "reclaimer=1,purge_delay=1",
	  .reset = true, .refuse_fence = true, .no_measure = true },
	/* Not even a region. */
	{ .name = "denied", .conf = "reclaimer=0,verbose=1", .reset = true,
	  .constructors = true, .refuse_all = true, .no_measure = true },
	/* No /proc, no count of CPUs, memory moves in the first step only. */
	{ .name = "strange", .conf = "reclaimer=0,rseq=0", .reset = true,
	  .early = true, .strange = true },
	/* A C++ program, with a new_handler, that catches. */
	{ .name = "throws", .conf = "reclaimer=0", .reset = true,
	  .throws = true, .no_measure = true },
	{ 0 },
};

char scenario_conf[400] = "LANEMALLOC_CONF=";

void scenario_set_conf(const char *conf)
{
	strcpy(strchr(scenario_conf, '=') + 1, conf);
}

#define NR_SCENARIOS (sizeof(scenarios) / sizeof(*scenarios) - 1)

/* Each has a bit in a set of them, too. */
_Static_assert(NR_SCENARIOS <= NR_SCENARIOS_MOST && NR_SCENARIOS_MOST <= 32,
	       "tables of scenarios have room for all");

/* Another library has no options of ours, and is not made anew. */
unsigned scenario_count(void)
{
	if (!text_is_ours())
		return 1;
	return NR_SCENARIOS;
}

/* What the library's own system calls are answered with. */
struct refusal {
	unsigned nr;
	unsigned error;      /* 0: success, and nothing happens */
	unsigned bits;       /* only if that argument has one of these */
	unsigned arg, least; /* and is at least that */
	unsigned most;       /* and at most that; 0: any */
};

/* So that the library's own threads can be stopped, too. */
static const struct refusal no_mask[] = { { .nr = SYS_rt_sigprocmask } };
static const struct refusal no_fence[] = {
	{ .nr = SYS_membarrier, .error = EINVAL },
	{ .nr = SYS_clone, .error = EAGAIN },
};
static const struct refusal no_region[] = {
	{ .nr = SYS_mmap, .error = ENOMEM },
};
static const struct refusal no_memory[] = {
	{ .nr = SYS_madvise, .error = ENOMEM },
	{ .nr = SYS_mprotect, .error = ENOMEM },
	{ .nr = SYS_mremap, .error = ENOMEM },
	{ .nr = SYS_mmap, .error = ENOMEM },
	{ .nr = SYS_membarrier, .error = EPERM },
	{ .nr = SYS_clone, .error = EAGAIN },
	{ .nr = SYS_vfork, .error = EAGAIN },
};
static const struct refusal not_told[] = {
	{ .nr = SYS_openat, .error = ENOENT },
	{ .nr = SYS_sched_getaffinity, .error = ENOSYS },
	{ .nr = SYS_uname, .error = ENOSYS },
	{ .nr = SYS_getrlimit, .error = ENOSYS },
	{ .nr = SYS_mremap, .error = ENOMEM, .arg = 3, .bits = MREMAP_FIXED },
};
static const struct refusal no_area[] = {
	{ .nr = SYS_rseq, .error = EINVAL },
};
/* MADV_GUARD_INSTALL and its like: no other advice has these bits. */
static const struct refusal no_guards[] = {
	{ .nr = SYS_madvise, .error = EINVAL, .arg = 2, .bits = 0x60 },
};

/* Calls by the library alone; all threads. */
static void refuse(const struct refusal *list, size_t n)
{
	uint64_t from = text_base(), to = from + text_image_size();
	uint32_t at = offsetof(struct seccomp_data, instruction_pointer);
	struct sock_filter code[96];
	struct sock_fprog program = { .filter = code };
	size_t i, c = 0;

#define ADD(...) (code[c++] = (struct sock_filter)__VA_ARGS__)
	ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at + 4));
	ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(from >> 32), 1, 0));
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at));
	ADD(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)from, 1, 0));
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	ADD(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)to, 0, 1));
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		     offsetof(struct seccomp_data, nr)));
	for (i = 0; i < n; i++) {
		bool some = list[i].bits;
		uint32_t most = list[i].most ? list[i].most : UINT32_MAX;
		uint32_t arg =
			offsetof(struct seccomp_data, args) + 8 * list[i].arg;

		ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, list[i].nr, 0,
			     some ? 6 : 1));
		if (some) {
			ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arg));
			ADD(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, list[i].least,
				     0, 3));
			ADD(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, most, 2, 0));
			ADD(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, list[i].bits,
				     0, 1));
		}
		ADD(BPF_STMT(BPF_RET | BPF_K,
			     SECCOMP_RET_ERRNO | list[i].error));
		if (some)
			ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
				     offsetof(struct seccomp_data, nr)));
	}
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
#undef ADD
	program.len = (unsigned short)c;
	/* Past libc's functions, at which the library would take the filter for
	 * a sandbox of the program's. */
	raw_4(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0);
	if (raw_4(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		  SECCOMP_FILTER_FLAG_TSYNC, &program, 0))
		child_fail(CRASHED, "no seccomp filter");
}

/* libc's clock; also its own idea of time in scenarios. */
static _Atomic(uint64_t) haste = 1;

__attribute__((visibility("default"))) int clock_gettime(clockid_t id,
							 struct timespec *out)
{
	int64_t ns;
	long ret = raw_2(SYS_clock_gettime, id, out);
	uint64_t factor = atomic_load(&haste);

	if (ret || factor == 1)
		return ret ? -1 : 0;
	/* Modulo 2^64 it is monotonic enough for a few seconds. */
	ns = (int64_t)(((uint64_t)out->tv_sec % 100000 * 1000000000 +
			(uint64_t)out->tv_nsec) *
		       factor);
	out->tv_sec = ns / 1000000000;
	out->tv_nsec = ns % 1000000000;
	return 0;
}

/* The library reads the vDSO's clock; here it reads the one above. */
static void clock_replace(void)
{
	union sealed *page = text_symbol("sealed");

	if (!page || mprotect(page, sizeof(*page), PROT_READ | PROT_WRITE))
		return;
	page->at.clock = clock_gettime;
}

/* Stacks are found by it; a library made anew has forgotten it. */
static void find_object_restore(void)
{
	union sealed *page = text_symbol("sealed");

	if (page && !mprotect(page, sizeof(*page), PROT_READ | PROT_WRITE))
		*(void **)(void *)&page->at.find_object =
			dlsym(RTLD_DEFAULT, "_dl_find_object");
}

static char **environ_kept;

#define REFUSE(list) refuse(list, sizeof(list) / sizeof(*(list)))

static size_t address_space_used(void)
{
	size_t mapped = memory_now().mapped;

	if (!mapped)
		child_fail(CRASHED, "no /proc/self/statm");
	return mapped;
}

static void limit_to(size_t size)
{
	volatile char stack[256 << 10];
	struct rlimit limit;
	size_t i;

	/* What the stack needs later is there before. */
	for (i = 0; i < sizeof(stack); i += 4096)
		stack[i] = 0;

	getrlimit(RLIMIT_AS, &limit);
	limit.rlim_cur = size;
	setrlimit(RLIMIT_AS, &limit);
}

void (*scenario_throw)(void);

/* It lies beside this program. */
static void runtime_load(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 16);
	void *handle;

	path[n > 0 ? n : 0] = 0;
	strcpy(strrchr(path, '/') + 1, "throw.so");
	handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	if (handle)
		*(void **)(void *)&scenario_throw = dlsym(handle, "throws");
	if (!scenario_throw)
		child_fail(CRASHED, dlerror());
}

/* The constructors of most scenarios do not run; in a program the first thread
 * has made the helper's memory ready before there is a sandbox. */
static void prepare(void)
{
	union {
		void *found;
		void (*call)(void);
	} prepare = { text_symbol("helper_prepare") };

	text_reset_data();
	if (prepare.found)
		prepare.call();
}

/* Slots whose makers have died: the table has few others. */
#define NR_SLOTS_LEFT 6

static void fill_table(void)
{
	struct region *r = text_symbol("regions");
	unsigned i;

	for (i = NR_SLOTS_LEFT; r && i < NR_REGIONS_MOST; i++)
		atomic_store(&r[i].state, REGION_CLAIMED);
}

/* The lanes of a CPU by their size, and the helper's memory: nothing else that
 * large is not whole 64 KiB. */
static void refuse_caches(void)
{
	size_t (*area_size)(void) = text_symbol("size_class_area_size");
	unsigned areas = 2 * (unsigned)round_up(area_size(), UNIT_SIZE);
	const struct refusal no_caches[] = {
		{ .nr = SYS_mmap,
		  .error = ENOMEM,
		  .arg = 1,
		  .bits = UINT32_MAX,
		  .least = areas,
		  .most = areas },
		{ .nr = SYS_mmap,
		  .error = ENOMEM,
		  .arg = 1,
		  .bits = 0xf000,
		  .least = 64 * KIB },
	};

	REFUSE(no_caches);
}

static void filters_set(const struct scenario *s)
{
	REFUSE(no_mask);
	if (s->refuse_fence)
		REFUSE(no_fence);
	if (s->refuse_all)
		REFUSE(no_region);
	if (s->strange)
		REFUSE(not_told);
	if (s->refuse_caches)
		refuse_caches();
	if (s->refuse_area)
		REFUSE(no_area);
	if (s->refuse_guards)
		REFUSE(no_guards);
}

void scenario_enter(const struct scenario *s)
{
	if (s->conf)
		scenario_set_conf(s->conf);
	if (s->prepared)
		prepare();
	filters_set(s);
	if (s->throws)
		runtime_load();
	if (s->early) {
		environ_kept = environ;
		environ = NULL;
	}
	if (s->limit)
		limit_to(address_space_used() + ((size_t)s->limit << 20));
	if (s->reset && !s->prepared)
		text_reset_data();
	/* These are among the variables. */
	if (s->hasty) {
		atomic_store(&haste, 2000);
		clock_replace();
	}
	if (s->rights)
		rights_replace();
	if (s->full)
		fill_table();
	find_object_restore();
}

/* No addresses are left to the regions that there are: the next is added. */
static void crowd(void)
{
	struct region *r = text_symbol("regions");
	unsigned i;

	for (i = 0; r && i < NR_REGIONS_MOST; i++)
		if (region_is_ready(&r[i]))
			atomic_store(&r[i].nr_taken,
				     load_relaxed(&r[i].nr_units)); // const
}

/* The next address of each range is beyond its end. */
static void take_places(void)
{
	_Atomic(uint64_t) *next = text_symbol("next_place");
	unsigned i;

	for (i = 0; next && i < NR_PLACES; i++)
		if (atomic_load(&next[i]))
			atomic_store(&next[i],
				     atomic_load(&next[i]) | 0xfffffffff000);
}

static void half_way(const struct scenario *s)
{
	if (s->refuse_late)
		REFUSE(no_memory);
	if (s->early)
		environ = environ_kept;
	if (s->rights)
		rights_drop();
	if (s->full)
		take_places();
}

void scenario_go_on(const struct scenario *s, uint64_t progress, unsigned work)
{
	static uint64_t crowded_at;
	static bool half;

	if (!half && progress > work * 3 / 2) {
		half = true;
		half_way(s);
	}
	if (s->crowded && (s->full || progress > crowded_at + work / 2)) {
		crowded_at = progress;
		crowd();
	}
}
