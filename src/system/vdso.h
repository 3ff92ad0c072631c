/* layer 1.3: vdso: the clock that the kernel maps into each process */
#ifndef LANE_VDSO_H
#define LANE_VDSO_H

/* Finds the clock and writes it to the sealed page (sealed.h), in a
 * constructor, before any other thread may look. */
void vdso_find_clock(void);

/* What a shared object at `base`, mapped as one piece, calls so; NULL where it
 * has no such name, or is none. */
const void *vdso_find(const char *base, const char *name);

#endif
