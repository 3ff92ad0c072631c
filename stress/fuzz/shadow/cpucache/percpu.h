/* Found before src/cpucache/percpu.h in fuzzing builds: the same sections, but
 * the input decides which of them are aborted. They work on an area that no
 * kernel knows, so nothing else aborts them. */
#ifndef FUZZ_SHADOW_PERCPU_H
#define FUZZ_SHADOW_PERCPU_H

#include_next "cpucache/percpu.h"

#include "stress/fuzz/point.h"

#define percpu_pop(lane) (fuzz_aborts() ? NULL : (percpu_pop)(lane))
#define percpu_pop_counted(lane, size) \
	(fuzz_aborts() ? NULL : (percpu_pop_counted)((lane), (size)))
#define percpu_push(lane, object) \
	(!fuzz_aborts() && (percpu_push)((lane), (object)))
#define percpu_push_tagged(tag, object) \
	(!fuzz_aborts() && (percpu_push_tagged)((tag), (object)))
#define percpu_pop_batch(lane, out, most) \
	(fuzz_aborts() ? -1 : (percpu_pop_batch)((lane), (out), (most)))
#define percpu_push_batch(lane, in, most) \
	(fuzz_aborts() ? -1 : (percpu_push_batch)((lane), (in), (most)))
#define percpu_pop_checked(self, l, lease, mine, object)                  \
	(fuzz_aborts() ? PERCPU_ABORT :                                   \
			 (percpu_pop_checked)((self), (l), (lease), (mine), \
					      (object)))
#define percpu_store_checked(self, word, value, lease, mine)                \
	(fuzz_aborts() ? PERCPU_ABORT :                                     \
			 (percpu_store_checked)((self), (word), (value), \
						(lease), (mine)))

#endif
