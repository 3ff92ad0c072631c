/* layer 4.11: who: the calling thread's id, without a system call
 *
 * Each thread keeps its id beside the process's; the process's lies in a page
 * that the kernel wipes in the child of a fork. So a child's thread finds that
 * what it keeps is its parent's, and asks anew. Where the kernel wipes nothing
 * it is asked each time. Wait-free; a handler that comes between the two stores
 * stores the same. A thread that dies here leaves nothing.
 *
 * Who asks first in a process writes its id into the page. A child on its
 * parent's memory (vfork) would write its own there, and the parent be a
 * stranger in its own house: so who is about to have such a child asks before.
 *
 * In a sandbox (sandbox.h) the kernel is not asked: a thread that it was not
 * asked for before has no id.
 */
#ifndef LANE_WHO_H
#define LANE_WHO_H

#include "base/compiler.h"

/* Maps the page, once. */
void who_start(void);

/* Asks before a child begins that runs on the caller's memory. */
void who_settle(void);

/* Returns the calling thread's id; 0: it may not be asked for. */
int who_tid(void);

/* Says whether the caller is a child that runs on its parent's memory (vfork).
 * */
bool who_borrows_memory(void);

#endif
