/* world: what the library under the fuzzer sees of the process and the system
 *
 * One thread runs, at addresses that are the same every time, and all that
 * could differ between two runs (CPU number, time, failing calls, aborts of
 * sections, what other threads do meanwhile) is taken from the input: an
 * input is deterministic.
 *
 * world_reset() sets the library's variables back to what they were when the
 * program was loaded and unmaps everything, so that each input begins with a
 * process in which malloc was never called.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <setjmp.h>
#include <stddef.h>

#include "cpucache/percpu.h"
#include "system/system.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* The input */

void input_set(const uint8_t *data, size_t size);
bool input_ended(void);
uint8_t input_byte(void);       /* 0 behind the end */
uint16_t input_short(void);     /* two bytes, the lower one first */
unsigned input_below(unsigned n); /* of one byte; 0 < n <= 256 */

/* The system */

enum world_call {
	WORLD_PURGE,
	WORLD_HUGEPAGES,
	WORLD_MOVE,
	WORLD_MAP,
	WORLD_REGISTER,
	WORLD_FENCE,
	WORLD_THREAD,
	NR_WORLD_CALLS
};

extern struct world {
	uint64_t now;         /* ms */
	size_t page;
	uint64_t memory_size;
	size_t address_limit; /* that may be mapped; 0: none */
	unsigned nr_cpus;
	unsigned placing;     /* hugepages that places are moved by */
	int pid;
	/* Calls of a kind: so many work, then so many fail. */
	struct {
		unsigned skip, fail;
	} plan[NR_WORLD_CALLS];
	unsigned long nr_failures;
	void (*purged)(char *addr, size_t size); /* before it happens */
	jmp_buf *on_abort; /* for system_abort(); NULL: a finding */
	/* The reclaimer, where the library started it. */
	void (*thread)(void *arg);
	void *thread_arg;
	int last_tid;
	void *wiped; /* by a fork, in the child */
	size_t wiped_size;
	jmp_buf *on_sleep; /* the reclaimer's sleep that ends its turn */
	unsigned nr_sleeps; /* until then */
} world;

void world_reset(void);
void world_set_environment(char *text); /* LANEMALLOC_CONF=..., or NULL */
bool world_is_mapped(const void *addr, size_t size);

/* What the library wrote to stderr since the last world_text_clear(). */
const char *world_text(void);
void world_text_clear(void);

/* The thread */

extern struct rseq_area world_area;  /* its registered area */
extern unsigned int fuzz_rseq_size;  /* what libc says of it */
extern unsigned long world_features; /* what the auxiliary vector says */
void world_set_id(uint32_t id);

/* The library did wrong: says so and aborts. */
_Noreturn void finding(const char *fmt, ...) printf_like(1, 2);
#define must(condition) \
	((condition) ? (void)0 : \
		       finding("%s:%d: %s", __FILE__, __LINE__, #condition))

#endif
