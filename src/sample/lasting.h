/* layer 4.5: lasting: objects that stay mapped as long as the process lives
 *
 * The loader never unloads the program and what it was linked with or has
 * preloaded, and it has mapped them all before any code of theirs runs, at the
 * beginning of its list. What is said of code in them holds for ever; of all
 * other code it holds while a function there is on the stack.
 *
 *	the list:	program ... last | what dlopen() adds and takes away
 *
 * Up to `last` the list never changes, so that it is read without a lock.
 * dlopen() itself allocates: the end that the first allocation finds comes
 * before all that it adds, if this library is among what was there from the
 * start. Else, where it came by dlopen() itself, the loader is the last one
 * that is known to be.
 *
 * Wait-free, safe in handlers; a thread that dies here leaves nothing. Without
 * the loader's list (musl) nothing is known to last.
 */
#ifndef LANE_LASTING_H
#define LANE_LASTING_H

#include "base/compiler.h"

struct link_map;

/* Notes the end of the list, at the first allocation; again: nothing. */
void lasting_start(void);

/* Whether that object of the loader's stays. */
bool lasting_has(const struct link_map *object);

#endif
