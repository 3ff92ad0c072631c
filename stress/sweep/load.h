/* load: what its two files share */
#ifndef LOAD_H
#define LOAD_H

#include "sweep.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define NR_SELDOM 14

/* A part of the load, or an operation, that is one call. */
#define ONE(name, ...)                     \
	static void name(struct worker *w) \
	{                                  \
		(void)w;                   \
		__VA_ARGS__;               \
	}

size_t load_below(struct worker *w, size_t n);

/* The next allocation is of that size, should it not come back. */
void expect(struct worker *w, size_t size);
/* Takes a new block in; false: at is NULL. */
bool slot_fill(struct worker *w, struct block *slot, void *at, size_t size);
/* Verifies the block and moves it to the worker's hand; its address. */
void *let_go(struct worker *w, struct block *slot);
void slot_alloc(struct worker *w, struct block *slot, size_t size);
void slot_free(struct worker *w, struct block *slot);
/* An empty slot; makes one. */
struct block *slot_empty(struct worker *w);
/* Many of a size, then none: refills, limits, flushes, slabs that empty. */
void do_burst(struct worker *w, size_t size, unsigned most);

/* Around what waits for a helper: the worker may be left behind in there. */
void load_helper_wait(struct worker *w);
void load_helper_came(struct worker *w);

/* seldom.c: the parts that the sweep adds */
extern const struct load_parts seldom_parts;
void seldom_open(void); /* before all */

void asks_do(struct worker *w);  /* asks.c */
void amiss_do(struct worker *w); /* amiss.c */
/* The library's constructors are through: it has the handler of faults. */
extern _Atomic(bool) amiss_is_caught;

/* rights.c: behind the names that change rights stands what changes none. */
void rights_replace(void);
void rights_drop(void); /* of the calling thread, the capabilities */
void rights_change(struct worker *w);
void rights_enter_filter(struct worker *w);
void rights_enter_strict(const struct worker *w);
void rights_enter_in_child(void); /* of a vfork */
bool rights_are_known(void);
void rights_ask(void);
void rights_keep(void);
#endif
