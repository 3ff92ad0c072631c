/* layer 4.5: lasting: objects that stay mapped as long as the process lives;
 * contract in lasting.h */
#include "sample/lasting.h"

#include <link.h>

#include "base/atomic.h"

extern struct r_debug _r_debug weak_import;
extern ElfW(Dyn) _DYNAMIC[] weak_import internal;

static _Atomic(uintptr_t) noted; /* const: set once, to the list's end */

static const struct link_map *list_first(void)
{
	return &_r_debug ? _r_debug.r_map : NULL;
}

void lasting_start(void)
{
	const struct link_map *at = list_first();
	uintptr_t none = 0;

	if (!at || load_relaxed(&noted)) // own: set once
		return;
	while (at->l_next)
		at = at->l_next;
	cas_relaxed(&noted, &none, (uintptr_t)at); // own: set once
}

/* Finds the last object that stays: the loader's own entry, or where this
 * library comes before that the noted end. */
static const struct link_map *list_last(void)
{
	const struct link_map *at = list_first();

	for (; at; at = at->l_next) {
		if ((uintptr_t)at->l_ld == (uintptr_t)_DYNAMIC)
			return (void *)load_relaxed(&noted); // own: set once
		if (at->l_addr == _r_debug.r_ldbase)
			return at;
	}
	return NULL;
}

bool lasting_has(const struct link_map *object)
{
	const struct link_map *at = list_first(), *last = list_last();

	if (!object || !last)
		return false;
	while (at != object && at != last)
		at = at->l_next;
	return at == object;
}
