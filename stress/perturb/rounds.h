/* rounds: the threads of a cell; at the end of each round all of them rest
 * outside of the library, with their blocks in their hands, so that the heap
 * can be looked at.
 */
#ifndef PERTURB_ROUNDS_H
#define PERTURB_ROUNDS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUNDS 16
#define ROUNDS_HELPERS 9
#define ROUNDS_STACK_SIZE ((size_t)96 << 10)

extern _Atomic(uint64_t) rounds_nr_steps;
/* Odd while a hard limit may be in force; counts how often that changes. */
extern _Atomic(uint64_t) rounds_hard_limit;

/* Ends the program where that fails. */
void rounds_spawn(pthread_t *thread, void *(*run)(void *), void *arg);

void rounds_start(void);
/* Whether all workers have come to the end of the round. */
bool rounds_rest(void);
void rounds_stop_helpers(void);
void rounds_go_on(void);
void rounds_join(void);

#endif
