/* layer 5.8: marked: what frees with checks=fast leave to the cold half */
#include "front/marked.h"

#include "front/retire.h"
#include "front/tick.h"

cold void marked_refused(void *pointer)
{
	struct block block;

	page_map_find(pointer, &block);
	tick_end_free(retire_block(pointer, &block));
}
