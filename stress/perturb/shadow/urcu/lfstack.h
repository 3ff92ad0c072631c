/* Shadows liburcu's header: its exchanges become sites of hook.h. */
#ifndef PERTURB_LFSTACK_H
#define PERTURB_LFSTACK_H

#include <urcu/uatomic.h>

#include "hook.h"

#ifndef UATOMIC_COMPAT
#error "liburcu's uatomic.h is not the one that this file knows"
#endif

#undef uatomic_cmpxchg
#define uatomic_cmpxchg(address, old, new)         \
	PERTURB_VALUE("uatomic_cmpxchg",           \
		      UATOMIC_COMPAT(cmpxchg(address, old, new)))
#undef uatomic_xchg
#define uatomic_xchg(address, value) \
	PERTURB_VALUE("uatomic_xchg", UATOMIC_COMPAT(xchg(address, value)))

#include_next <urcu/lfstack.h>

#endif
