/* layer 5.2: foreign: blocks that another malloc made
 *
 * A program may hold blocks of libc's own malloc: made before this library
 * was there, by an executable with a malloc of its own, by a library that was
 * opened with RTLD_DEEPBIND. They go back to where they came from, and are
 * counted. Here that is libc; the entry layer hands those of a program with a
 * malloc of its own to the program before (entry/program.h). Where libc has
 * no malloc of its own (static links) a foreign pointer is misuse: fault().
 */
#ifndef LANE_FOREIGN_H
#define LANE_FOREIGN_H

#include "base/compiler.h"

/* Says whether a pointer is to memory that is not this heap's; NULL is not. */
bool foreign_is(const void *pointer);

/* Counts one more that was freed; foreign_free() counts its own. */
void foreign_count(void);

/* Hand a block to libc; one that it cannot have is a fault(). */
void foreign_free(void *pointer);
void *foreign_realloc(void *pointer, size_t size);
size_t foreign_usable_size(const void *pointer);

uint64_t foreign_nr_frees(void);

#endif
