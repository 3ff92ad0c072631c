/* sweep: stops a thread at every instruction of a malloc, and looks whether
 * the others go on
 *
 *	options.c  the command line
 *	shared.c   what the driver and its servers have in common
 *	sweep.c	   the survey, then one mode after the other
 *	proven.c   what earlier sweeps have shown, by the ledger proven.txt
 *	report.c   what is printed; explain.py: why instructions are not
 *		   reached, by reasons.txt
 *	text.c	   the library's instructions: finding and arming them
 *	step.h	   other places to stop: the steps of an operation, and all
 *		   threads but one
 *	server.c   has the library preloaded, forks one child per stop, and
 *		   measures what each scenario reaches
 *	outside.c  a child from outside
 *	watch.c	   whether that child still moves
 *	process.c  a child, its threads, its end
 *	child.c	   one stop from start to end, with the checks
 *	scenario.c under which circumstances the load runs
 *	load.c	   the load, bounded by counts; seldom.c: its rare parts;
 *		   rights.c: the calls that change rights
 *	names.c	   what of it only some libraries have
 *	ledger.c   patterns and the shadow map of live blocks
 *	stop.c	   the trap; fate.c: what the victim does there
 *
 * The driver has the ordinary malloc. It starts servers with the library
 * preloaded; all share one mapping, struct shared. In a child an int3 stands
 * at the one address in question. Whoever comes there as the first (or k-th)
 * puts the instruction's byte back and is the victim. Inside an rseq section
 * the kernel moves the victim to the abort handler before the signal: that
 * the trap was the armed one is known without looking at its address.
 */
#ifndef SWEEP_H
#define SWEEP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NR_MODES 6
#define NR_SERVERS_MOST 64
#define NR_SCENARIOS_MOST 30
#define NR_WORKERS 4 /* the last one is started by the first */
#define GROUP_MOST 8 /* instructions at which one run stops threads */
#define GROUP_LOST 4 /* likewise, in modes in which a victim is lost */
#define NR_THREADS (NR_WORKERS + GROUP_LOST - 1) /* spare ones, too */
#define NR_FAILURES_MOST 256
#define NR_SLOTS 320 /* blocks that a worker holds at most */
#define NR_BOXES 64  /* blocks on their way to another worker */

enum outcome {
	NOT_RUN,
	STOPPED,     /* and all others finished, and the heap is sound */
	NOT_REACHED, /* nobody came by */
	BLOCKED,     /* another thread, or the child of a fork, stood still */
	CRASHED,     /* the process died */
	UNSOUND,     /* overlap, lost pattern, lost zeros */
	NR_OUTCOMES
};

/* One instruction of the library. */
struct instruction {
	uint32_t offset; /* from the library's base */
	uint32_t name;   /* of its function, offset into struct text's names */
	bool padding;    /* a no-op */
};

struct text {
	struct instruction *all;
	uint32_t nr;
	char *names;
};

/* What one child tells; in the shared mapping. */
struct cell {
	_Atomic(uint64_t) progress;
	_Atomic(uint32_t) outcome;
	_Atomic(int32_t) victim; /* worker, BARE, or NOBODY; the last one */
	_Atomic(uint32_t) met;	 /* a bit for each target that had a victim */
	_Atomic(uint32_t) bare;	 /* likewise, of those that met BARE */
	_Atomic(uint32_t) lost;	 /* a bit for each worker that stays away */
	_Atomic(bool) finished;  /* all workers that must */
	_Atomic(int32_t) fork_child;
	_Atomic(int32_t) tids[NR_THREADS];
	_Atomic(uint32_t) works[NR_THREADS]; /* what each does, for people */
	_Atomic(uint32_t) trap;              /* offset where it resumes */
	uint64_t live_size;    /* after everything was freed and purged */
	uint64_t claimed_size; /* likewise, whole units */
	/* Of the blocks in the hands of each target's victim, if it is lost. */
	_Atomic(uint64_t) hand_sizes[GROUP_MOST];
	/* Of an operation that was stepped: */
	uint64_t nr, nr_sections, nr_aborts;
	uint32_t at;  /* where it was stopped */
	bool ended;   /* before the stop */
	bool shut;    /* the fast paths' gate, at the end */
	bool cloned;
	char text[400];
};

#define NOBODY (-1)
#define BARE (-2) /* a thread of the library's own */

struct result {
	_Atomic(bool) claimed; /* by a server, for a group */
	uint8_t outcome;
	uint8_t scenario;
	uint8_t victim_bare;
	uint32_t live_size;    /* stranded bytes, beyond the block in hand */
	uint32_t claimed_size; /* of address space */
};

struct failure {
	uint8_t outcome;
	char where[300], text[400];
};

struct settings {
	int mode;      /* 'a'..'f'; 0: only look what is reached */
	unsigned hit;  /* the k-th thread that comes by */
	unsigned step; /* every step-th instruction that is reached */
	unsigned phase;
	unsigned timeout; /* seconds without progress */
	unsigned tries;
	unsigned work;      /* steps of a worker */
	unsigned only;      /* one instruction, by offset; 0: all */
	unsigned surveys;   /* runs of each scenario */
	unsigned scenarios; /* bit set: is used */
	unsigned seed;      /* of the load's random numbers */
	unsigned sample;    /* so many instructions, evenly spread; 0: all */
	unsigned enough;    /* end when so many were blocked; 0: never */
	bool verbose;
};

/* What remains in a scenario without any stop, at most. */
struct base {
	uint64_t live_size, claimed_size;
};

/* With --state it is a file: an interrupted sweep goes on with it. */
struct shared {
	struct settings settings;
	uint64_t stamp;      /* of all that the sweep is about */
	bool surveyed;       /* what is reached is known */
	bool chosen;         /* results are those of the mode that is next */
	unsigned nr_runs;    /* modes that are done, of all hits */
	unsigned nr_bad;     /* of all modes */
	unsigned nr_stopped; /* and others were blocked; of all modes */
	uint32_t nr_instructions, names_size;
	_Atomic(uint32_t) next; /* the next instruction to stop at */
	_Atomic(uint32_t) nr_failures;
	_Atomic(uint32_t) nr_blocked;
	_Atomic(uint32_t) nr_groups; /* runs of several stops, in this mode */
	_Atomic(uint32_t) nr_amiss;  /* of these, the ones with a fault */
	_Atomic(uint32_t) nr_grouped; /* stops that they are good for */
	_Atomic(uint32_t) interrupted;
	struct base bases[NR_SCENARIOS_MOST];
	struct failure failures[NR_FAILURES_MOST];
	struct cell cells[NR_SERVERS_MOST];
	struct result results[];
};

/* After the results: in how many surveys each scenario reached each
 * instruction, then the instructions, then their names. */
extern struct text text;

/* text.c */

/* Reads the instructions by objdump; range: NULL, or "from,to" as offsets or
 * as names with +/- offsets; functions: NULL, or "name,name". */
void text_read(const char *path, const char *range, const char *functions);
const char *text_name(uint32_t instruction);
/* "function+0x12" */
void text_where(uint32_t offset, char *out, size_t size);
/* Finds the library in this process and remembers its bytes. */
void text_find(const char *path);
bool text_has(uintptr_t address);
uintptr_t text_base(void);
size_t text_image_size(void); /* as mapped, variables included */
void text_make_writable(void);
void text_arm(uint32_t offset);
void text_disarm(uint32_t offset);
bool text_is_armed(uint32_t offset);
/* The instruction with that offset, -1: none starts there. */
long text_find_offset(uint32_t offset);
/* Calls work for all sections that abort at this offset. */
void text_each_section(uint32_t abort_offset,
		       void (*work)(uint32_t start, uint32_t end));
/* Whether these two offsets lie in sections with one abort handler. */
bool text_share_abort(uint32_t a, uint32_t b);
/* A table among the library's variables, relocated; NULL: there is none. */
const void *text_table(const char *name, size_t *size);
/* This thread's last section: the library's variables are about to change, the
 * section's descriptor among them, which the kernel may read at any time. */
void text_forget_section(void);
/* The library's variables as they were before its start. */
void text_reset_data(void);
/* Its constructors, or its destructors; false: there are none. */
bool text_run_array(bool at_exit);
bool text_is_ours(void); /* it is lanemalloc */
/* An object of the library by its local name; NULL: it is another library. */
void *text_symbol(const char *name);

/* scenario.c */

struct scenario {
	const char *name;
	const char *conf;   /* LANEMALLOC_CONF */
	bool reset;         /* the library starts anew under the load */
	bool constructors;  /* are part of the load */
	bool refuse_late;   /* the system refuses memory half-way */
	bool refuse_fence;  /* no membarrier */
	bool refuse_all;    /* no memory at all */
	bool refuse_caches; /* none for CPU caches and the helper */
	bool refuse_area;   /* helpers get no rseq */
	bool refuse_guards; /* the kernel has no guard pages */
	bool strange;       /* much of what the kernel tells is missing */
	bool throws;        /* a C++ runtime is there */
	bool close_stderr;  /* the program does that before it ends */
	bool early;         /* libc does not seem ready, at first */
	bool hasty;         /* the clock runs 2000 times as fast */
	bool prepared;      /* the first thread has readied the helper */
	bool rights;        /* they change, and the program enters a sandbox */
	bool crowded;    /* regions have no addresses left, again and again */
	bool full;       /* and only a few regions can be made */
	bool amiss;      /* guarded blocks are misused, and that is told */
	bool outside;    /* programs outside switch and trace the profile */
	bool no_measure; /* what is stranded has other reasons, too */
	unsigned limit;  /* MiB of address space beyond what is used */
	unsigned waits;	 /* MiB of runs that one may drive out of quarantine */
	unsigned linger; /* ms that the threads stay */
};
extern const struct scenario scenarios[]; /* up to one without a name */
unsigned scenario_count(void);            /* for this library */
void scenario_enter(const struct scenario *s);
/* progress: the load's steps so far; work: those of a thread. */
void scenario_go_on(const struct scenario *s, uint64_t progress, unsigned work);
/* Asks for too much by C++, and catches; where the scenario has a runtime. */
extern void (*scenario_throw)(void);
extern char scenario_conf[400]; /* "LANEMALLOC_CONF=..." in the environment */
void scenario_set_conf(const char *conf);

/* stop.c */

/* Where to stop: one instruction, or several, each with a victim of its own. */
struct stop {
	uint32_t targets[GROUP_MOST];
	unsigned nr_targets;
	int mode;
	unsigned hit;
	bool shake;    /* all other instructions trap once */
	bool survey;   /* nobody is stopped; what is reached is noted */
	bool nothing;  /* no trap at all */
	uint32_t luck; /* where naps are */
	uint8_t *reached;
};
extern struct stop stop;
void stop_prepare(void);
void stop_finish(void);
void stop_ignore(void); /* from now on nobody is a victim */
/* Several are lost here: only common workers are, each with a successor. */
bool stop_loses_several(void);
/* In a common worker: what others passed meanwhile is a target again. */
void stop_again(void);

/* load.c */

struct block {
	unsigned char *at;
	size_t size;
	uint32_t mark;
};

/* WAITS_NOT <-> WAITS, by the worker; WAITS -> LEFT_BEHIND, by who goes on
 * without it, whose its blocks are then. */
enum helper_wait { WAITS_NOT, WAITS, LEFT_BEHIND };

struct worker {
	sigjmp_buf jump;
	struct block slots[NR_SLOTS];
	struct block hand[2]; /* going in or out: in doubt for a victim */
	uint64_t random;
	uint32_t step;
	uint32_t index; /* which part of the load; the first is alone in some */
	uint32_t place; /* among all threads */
	unsigned nr_steps;
	bool left;     /* by siglongjmp */
	bool no_throw; /* memory may run out */
	bool linger;
	bool constructors;
	bool close_stderr;
	bool foreign; /* the library knows libc's functions */
	bool rights;  /* the first worker changes them, and enters a sandbox */
	bool amiss;   /* does wrong with guarded blocks */
	bool outside; /* does what other programs do to this one */
	_Atomic(int) helper_wait; /* enum helper_wait */
	_Atomic(bool) done;
	_Atomic(uint32_t) called; /* a spare one, in whose place it is */
};
extern struct worker workers[NR_THREADS];
extern _Atomic(bool) late_worker_runs;

/* What a program adds to the load; NULL where it adds nothing. */
struct load_parts {
	void (*const *seldom)(struct worker *w); /* NR_SELDOM of them */
	void (*exhaust)(struct worker *w); /* where memory may run out */
	void (*first)(struct worker *w); /* in each step of the first worker */
	/* Around a victim's fork: nobody holds a lock of libc meanwhile. */
	void (*fork_begins)(const struct worker *w);
	void (*fork_ends)(const struct worker *w);
};
extern const struct load_parts *load_parts;

void load_warm_up(const struct load_parts *parts);
void *load_run(void *worker);
void load_in_handler(struct worker *w);
_Noreturn void load_in_child(void);
/* Frees whatever a worker still holds, verified. */
void load_free_all(void);
void load_verify_warm(void);
void load_purge(void);
/* What lanemalloc says; false: another library. */
bool load_live_size(uint64_t *live_size);

/* ledger.c */
void ledger_start(void);
void ledger_add(struct block *b); /* shadow and pattern */
void ledger_remove(struct block *b);
void ledger_verify(const struct block *b);
/* The pattern again, of a block that is live. */
void ledger_rewrite(struct block *b);

/* die.c */
_Noreturn void die(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* process.c */
extern struct cell *cell;
_Noreturn void child_fail(enum outcome outcome, const char *text);
/* A thread that waits there until child_start(). */
void thread_start(void *(*run)(void *), void *arg);
void child_wait_for_start(void);
void child_start(void);
/* A spare thread waits until its worker is called, and that calls it. */
void child_wait_for_call(struct worker *w);
void child_call(struct worker *w);
/* Some worker is through; the first thread waits for that, a while. */
void child_wake(void);
void child_wait_unless(bool (*done)(void));
/* The handlers of traps, and of what ends a process. */
void child_handle(void (*on_trap)(int, siginfo_t *, void *));

/* remains.c: verifies what is live, frees it all and measures the rest. */
void child_check_heap(void);

/* Whether a victim does not come back; in the others it goes on. */
static inline bool mode_loses(int mode)
{
	return mode >= 'a' && mode <= 'c';
}

/* fate.c */
_Noreturn void fate_sleep(void);
/* In a handler; w: NULL, a thread that has no libc behind it. It only comes
 * back in the modes in which a victim goes on. */
void fate_meet(int mode, struct worker *w, bool may_leave);

/* child.c */
_Noreturn void child_run(const struct scenario *s, uint64_t seed);
/* In a handler: a spare thread, while there is one, goes on in its place. */
void child_succeed(const struct worker *lost);

/* server.c */
int server_run(void);

/* outside.c */
void outside_open(void); /* once in each process that has children */
/* Runs body in a child; the cell says how that ended. */
enum outcome outside_run(void (*body)(const void *), const void *arg);
/* That child is a fault; both are for people. */
void failure_note(const char *where, const char *what);

/* watch.c */

/* False: it has not moved for so many seconds. */
bool watch_until_end(pid_t pid, unsigned timeout);
void watch_read(const char *path, char *out, size_t size);

/* shared.c */
extern struct shared *shared;
uint8_t *shared_reached(unsigned scenario);
/* In the driver; true: an interrupted sweep goes on. */
bool shared_make(const struct settings *settings);
void shared_join(void); /* in a server */
void *shared_memory(size_t size); /* with the children alone */

#endif
