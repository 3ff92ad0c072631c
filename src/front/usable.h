/* layer 5.4: usable: how much of a block the program may use
 *
 * Of foreign blocks libc is asked. Lock-free, leaves errno alone, safe in
 * handlers; misuse ends the program.
 */
#ifndef LANE_USABLE_H
#define LANE_USABLE_H

#include <stddef.h>

/* Returns the bytes that the program may use; 0 for NULL. */
size_t heap_usable_size(const void *pointer);

#endif
