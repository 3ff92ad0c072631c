/* layer 0.1: version: the header's numbers as a text */
#ifndef LANE_VERSION_H
#define LANE_VERSION_H

#include "lanemalloc.h"

#define VERSION_STRING_OF(x) #x
#define VERSION_TEXT(a, b, c) \
	VERSION_STRING_OF(a) "." VERSION_STRING_OF(b) "." VERSION_STRING_OF(c)
#define VERSION                                                          \
	VERSION_TEXT(LANEMALLOC_VERSION_MAJOR, LANEMALLOC_VERSION_MINOR, \
		     LANEMALLOC_VERSION_PATCH)

#endif
