/* layer 5.8: threads: what the heap does where a program begins to have some;
 * contract in threads.h */
#include "front/threads.h"

#include "cpucache/mode.h"
#include "cpucache/rseq_check.h"
#include "front/gate.h"
#include "front/pressure.h"
#include "front/start.h"
#include "front/tick.h"
#include "system/helper.h"
#include "system/sandbox.h"

static _Atomic(uint32_t) checked; /* atomic: hint, the kernel was tested */

void heap_threads_start(void)
{
	if (!heap_start() || sandbox_known())
		return;
	helper_prepare();
	if (load_relaxed(&rseq_state.mode) != MODE_DIRECT && // hint
	    !take_relaxed(&checked, 1) &&		     // hint
	    !helper_is_filtered() && !rseq_kernel_aborts()) {
		gate_close(); /* for ever */
		rseq_give_up("direct: this kernel does not abort sections");
	}
	pressure_watch();
	tick_ensure_helper();
}
