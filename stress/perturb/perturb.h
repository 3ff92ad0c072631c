/* perturb: what a perturbed build does at the sites of hook.h
 *
 * In a build without sites, the plain one, `every` is 0: nobody is sent a
 * signal, and what is left to do is to move threads.
 */
#ifndef PERTURB_H
#define PERTURB_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Kinds of injection at a site, with their share of 64. park: a nanosleep of
 * milliseconds, as if the thread had lost its CPU for a time slice. */
#define PERTURB_KINDS(X)                                                 \
	X(delay, 22) X(yield, 14) X(nap, 8) X(park, 1) X(signal_self, 6) \
	X(signal_other, 5) X(move, 8)

enum perturb_kind {
#define PERTURB_KIND(name, share) PERTURB_##name,
	PERTURB_KINDS(PERTURB_KIND)
#undef PERTURB_KIND
	PERTURB_NR_KINDS
};

/* From now on. every: sites, and points, from one injection to the next on
 * average; a power of two. 0: none any more. */
void perturb_set(uint64_t seed, uint32_t every);

/* The calling thread may be sent signals, and be trapped in sections; its
 * handlers must be installed. */
void perturb_thread_start(void);
void perturb_thread_end(void);
/* While a trap is being handled there must not be another one. */
bool perturb_trap_allow(bool allow);

/* Another few sites are visited by injections most of the time. */
void perturb_focus(uint64_t random);

/* A signal to one of the threads, now. */
void perturb_signal_one(uint64_t random);

/* What the library's kinds do, for handlers. */
void perturb_do(enum perturb_kind kind, uint64_t random);

/* Moves the thread (0: the calling one) to one of the allowed CPUs. */
void perturb_move(int tid, uint64_t random);

/* Added to every id: moves all CPUs to others that nobody has seen yet. */
extern uint32_t perturb_id_shift __attribute__((visibility("hidden")));

/* All ids are so much higher from now on; a multiple of 64. */
void perturb_set_id_shift(uint32_t shift);

/* One line per site and point. */
void perturb_write(FILE *out);

#endif
