/* layer 1.1: mte: memory tagging, as instructions
 *
 * The processor's words are *logical* and *allocation tag*. As a tag here is an
 * entry of the page map, both are a *colour*: four bits of a pointer, and four
 * for each granule of sixteen bytes of memory that was mapped for it. A load or
 * store by a pointer of another colour than the memory's is a fault, in a
 * thread that asked for that. What lies below is the architecture's; its
 * contract is in mte_x86_64.h.
 */
#ifndef LANE_MTE_H
#define LANE_MTE_H

#define MTE_GRANULE ((size_t)16)

#if defined(__x86_64__)
#include "system/mte_x86_64.h"
#elif defined(__aarch64__)
#include "system/mte_aarch64.h"
#endif

#endif
