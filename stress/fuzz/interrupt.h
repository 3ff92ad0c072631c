/* interrupt: what happens to a call of the library at a point inside it
 *
 * The calls of an input are operations: functions that read their arguments
 * from the input. interrupt_run() runs one in a frame of its own, so that the
 * thread in it can die: that is a jump out of the call, which leaves whatever
 * the call held as it is. In the middle of an operation others may run, as
 * those of other threads do on other CPUs, or of a handler on this one.
 */
#ifndef FUZZ_INTERRUPT_H
#define FUZZ_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

/* Runs an operation; false: its thread died. */
bool interrupt_run(void (*operation)(void));

/* Reads from the input when and by what the operation is interrupted, and
 * runs it so. ids: the CPU numbers to choose from. */
void interrupt_plan(void (*operation)(void), const uint32_t *ids,
		    unsigned nr_ids);

/* No interruption from here to interrupt_resume(); they nest. */
uint64_t interrupt_pause(void);
void interrupt_resume(uint64_t paused);

/* Operations that are under way, and threads that died since reset. */
unsigned interrupt_depth(void);
unsigned interrupt_nr_deaths(void);
void interrupt_reset(void);

#endif
