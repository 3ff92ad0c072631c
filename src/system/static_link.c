/* layer 1.1: static link: whether libc's names for malloc are ours too
 *
 * Only in the archive, only for glibc, as entry/static_names.c.
 */
#include "system/static_link.h"

const char lane_static_link = 1;
