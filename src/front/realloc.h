/* layer 5.10: realloc: in place where that is right, else by moving
 *
 * The old block is judged once; that answer frees it when its content has
 * moved. A thread that dies in between loses both blocks. Lock-free.
 */
#ifndef LANE_REALLOC_H
#define LANE_REALLOC_H

#include "base/compiler.h"

/* pointer != NULL, size > 0. NULL: no memory, and the block is as it was. */
void *heap_realloc(void *pointer, size_t size);

#endif
