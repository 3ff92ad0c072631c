/* layer 1.1: static link: whether libc's names for malloc are ours too
 *
 * In the archive alone, where static_names.c takes them (entry/): __libc_free
 * is this library's free then, and there is no other malloc to hand a block to.
 * The linker says so, by an address, as malloc comes before any constructor.
 */
#ifndef LANE_STATIC_LINK_H
#define LANE_STATIC_LINK_H

#include "base/compiler.h"

/* Absent from the shared library; nobody reads what it holds. */
extern const char lane_static_link weak_import internal;

#endif
