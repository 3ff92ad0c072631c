/* layer 6.4: real: libc's functions behind our names
 *
 * Only in the shared library. The constructor fills the sealed page
 * (system/sealed.h); who comes earlier asks the loader, which takes its lock
 * and may allocate, so never from inside an allocation.
 */
#ifndef LANE_REAL_H
#define LANE_REAL_H

#include "system/sealed.h"

/* Looks a name up behind ours; NULL: there is none. */
void *real_look_up(const char *name);

#define real_function(name)                                 \
	__extension__({                                     \
		void *found_ = sealed.at.real[REAL_##name]; \
		if (unlikely(!found_))                      \
			found_ = real_look_up(#name);       \
		found_;                                     \
	})

#endif
