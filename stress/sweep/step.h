/* step: single steps through a malloc, by the processor's trap flag
 *
 *	steps.c	   one child per operation, step and fate of the victim
 *	ops.c	   the operations
 *	last.c	   all threads but one are stopped, the rest is counted
 *	kinds.c	   what the last one does, with the bound of each kind
 *	rare.c	   the rare parts of the load
 *	trap.c	   the trap flag: steps, sections, aborts
 *
 * They are places at which the sweep's program stops threads, of which one
 * server goes through all, with the sweep's children, load and report.
 *
 * A step is an instruction of the library that is about to run. What it calls
 * in libc runs through and is not counted.
 */
#ifndef STEP_H
#define STEP_H

#include "load.h"
#include "names.h"
#include "../harness/raw.h"
#include "sweep.h"

#include <ucontext.h>

/* ---- trap.c ---- */

/* How rseq sections are passed. ABORTING: each trap in one aborts it, so none
 * is ever finished. WHOLE: the trap flag is off within, and its instructions
 * are no steps. */
enum manner { ABORTING, WHOLE, NR_MANNERS };
extern const char *const manner_names[NR_MANNERS];

struct steps {
	enum manner manner;
	uint64_t stop_at; /* the step at which at_stop() is called; 0: none */
	uint64_t most;    /* beyond this it is said not to end */
	void (*at_stop)(void);
	uint32_t *trace; /* the steps' offsets go there; NULL: not wanted */
	uint64_t trace_most;
	/* Instead of steps: the stop is where this instruction is passed for
	 * the n-th time; 0: steps. */
	uint32_t target, occurrence;
	uint8_t *reached; /* per instruction of the text; NULL: not wanted */

	/* results */
	uint64_t nr;          /* steps */
	uint64_t nr_sections; /* that ran whole */
	uint64_t nr_inside;   /* their instructions, as if each went through */
	uint64_t nr_aborts;
	uint32_t at; /* offset of the last step */
	bool cloned; /* the end was not stepped: a thread or child began */
};
extern struct steps steps;

/* In the preloaded process, once, after text_find(). */
void trap_start(void);
/* The calling thread is the one that steps, from here to steps_end(). */
void steps_begin(void);
void steps_end(void);
/* Somebody steps. */
bool steps_are_on(void);
/* Who steps runs up to an int3 now, without the flag. */
bool steps_are_planted(void);
/* Grows as long as somebody steps, the library's code or other. */
uint64_t steps_nr_traps(void);
/* In a handler: the interrupted thread steps when it goes on. */
void steps_begin_at(ucontext_t *context);
/* Another thread's int3, not one of trap.c's; true: it is dealt with. */
extern bool (*trap_other)(ucontext_t *context);

#define STEPPED(call)          \
	do {                   \
		steps_begin(); \
		call;          \
		steps_end();   \
	} while (0)

/* ---- the places to stop ---- */

void steps_run(void);
void last_run(void);

/* rare.c: what the load adds */
extern const struct load_parts rare_parts;

/* ---- ops.c ---- */

struct op {
	const char *name;
	void (*setup)(struct worker *w);
	void (*run)(struct worker *w); /* contains STEPPED() */
	const char *conf; /* not NULL: the library starts anew, with this */
	bool own;                      /* calls what lanemalloc alone has */
	bool may_shut; /* the fast paths' gate may stay closed */
	bool thread;   /* run in a thread that ends by itself */
};
/* The calling thread stays on the n-th of the CPUs that it may use. */
void on_cpu(unsigned n);
extern const struct op ops[]; /* up to one without a name */
/* Whether this library has what the operation calls. */
bool op_is_known(const struct op *op);

#endif
