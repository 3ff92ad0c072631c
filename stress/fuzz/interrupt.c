/* interrupt: what happens to a call of the library at a point inside it */
#include "interrupt.h"

#include <errno.h>
#include <string.h>

#include "point.h"
#include "world.h"

#define DEPTH_MOST 3
#define NR_NESTED_MOST 4

enum kind {
	MOVE,	  /* it goes on on another CPU */
	PREEMPT,  /* other operations run on another CPU meanwhile */
	HANDLER,  /* they run on this CPU */
	MOVED,	  /* they run, and it wakes up elsewhere */
	DIE,	  /* it is gone; others go on */
	FORK,	  /* they run, and only their thread is left */
	NR_KINDS
};

static struct plan {
	enum kind kind;
	void (*operation)(void);
	unsigned nr_nested;
	uint32_t id;
} plan;

static jmp_buf *frame;
static unsigned depth, nr_deaths;

uint64_t fuzz_countdown;
uint32_t fuzz_abort_bits;

void interrupt_reset(void)
{
	frame = NULL;
	depth = 0;
	nr_deaths = 0;
	fuzz_countdown = 0;
	fuzz_abort_bits = 0;
}

unsigned interrupt_depth(void)
{
	return depth;
}

unsigned interrupt_nr_deaths(void)
{
	return nr_deaths;
}

uint64_t interrupt_pause(void)
{
	uint64_t paused = fuzz_countdown;

	fuzz_countdown = 0;
	return paused;
}

void interrupt_resume(uint64_t paused)
{
	fuzz_countdown = paused;
}

bool interrupt_run(void (*operation)(void))
{
	jmp_buf here, *volatile outer = frame;
	jmp_buf *volatile on_abort = world.on_abort;
	volatile bool done = false;

	frame = &here;
	depth++;
	if (!setjmp(here)) {
		operation();
		done = true;
	}
	depth--;
	frame = outer;
	world.on_abort = on_abort;
	return done;
}

static void nested_run(const struct plan *p)
{
	unsigned i;

	for (i = 0; i < p->nr_nested && depth < DEPTH_MOST; i++)
		interrupt_run(p->operation);
}

static _Noreturn void die(void)
{
	nr_deaths++;
	longjmp(*frame, 1);
}

/* The interrupted thread's own state is as before when it goes on. */
void fuzz_interrupt(void)
{
	struct plan p = plan;
	uint32_t id = world_area.cpu_id, abort_bits = fuzz_abort_bits;
	jmp_buf *on_abort = world.on_abort;
	int saved = errno;

	if (p.kind == DIE)
		die();
	fuzz_abort_bits = 0;
	world.on_abort = NULL;
	if (p.kind == PREEMPT || p.kind == MOVED || p.kind == MOVE)
		world_set_id(p.id);
	if (p.kind != MOVE)
		nested_run(&p);
	if (p.kind == FORK) {
		world.pid++;
		world.thread = NULL;
		if (world.wiped)
			memset(world.wiped, 0, world.wiped_size);
		die();
	}
	if (p.kind == PREEMPT)
		world_set_id(id);
	fuzz_abort_bits = abort_bits;
	world.on_abort = on_abort;
	errno = saved;
}

/* Near points often, far ones too. */
static uint64_t countdown_read(void)
{
	unsigned n = input_byte();

	if (n < 160)
		return n + 1;
	return 160 + (uint64_t)(n - 159) * 40;
}

void interrupt_plan(void (*operation)(void), const uint32_t *ids,
		    unsigned nr_ids)
{
	uint64_t n = countdown_read();
	unsigned how = input_byte();

	plan = (struct plan){
		.kind = (enum kind)(how % NR_KINDS),
		.operation = operation,
		.nr_nested = 1 + how / 8 % NR_NESTED_MOST,
		.id = ids[input_below(nr_ids)],
	};
	fuzz_countdown = n;
	interrupt_run(operation);
	if (depth <= 1)
		fuzz_countdown = 0;
}
