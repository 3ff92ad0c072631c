/* fuzz_heap: the whole library, from the C names down, against a table of the
 * blocks that it handed out. Three bytes of the input describe the process,
 * the rest are operations. */
#include "heap.h"
#include "interrupt.h"
#include "cpucache/rseq.h"
#include "target.h"
#include "world.h"

#define CHECK_EVERY 64 /* operations */

const uint32_t heap_ids[NR_IDS] = { 0, 1, 2, 3, 5, 64, 700, 8191, 8192,
				    UINT32_MAX };

static heap_operation *choose(unsigned n)
{
	if (n < 160)
		return heap_block_operations[n % nr_heap_block_operations];
	return heap_machine_operations[n % nr_heap_machine_operations];
}

/* A nested operation, or one of the input's own that is not interrupted. */
void heap_operate(void)
{
	choose(input_below(240))();
}

void target_run(const uint8_t *data, size_t size)
{
	unsigned n, i;

	input_set(data, size);
	heap_begin();
	for (i = 1; !input_ended(); i++) {
		rseq_state.nr_cpus = rseq_state.nr_cpus ? 1 : 0;
		n = input_byte();
		if (n >= 240)
			interrupt_plan(heap_operate, heap_ids, NR_IDS);
		else
			interrupt_run(choose(n));
		if (i % CHECK_EVERY == 0)
			machine_check();
	}
	heap_end();
}
