/* layer 5.2: tell: the end of the program over one block; see tell.h */
#include "front/tell.h"

#include <stdarg.h>

#include "guard/tale.h"
#include "guard/who.h"
#include "sample/sampler.h"
#include "sample/stack.h"
#include "sample/trace.h"
#include "system/config.h"
#include "system/report.h"
#include "system/system.h"

#define BYTES_SHOWN 16

static void tell_stack(struct tale *tale, const char *what, uint32_t stack)
{
	if (!stack || !sampler_has_tables() ||
	    stack >= trace_used_size() / sizeof(uint64_t))
		return;
	tale_line(tale, "  %s by:", what);
	tale_stack(tale, stack);
}

static void tell_footer(struct tale *tale, const char *which,
			const void *pointer, const struct block *block)
{
	static const char *const states[] = {
		[FOOTER_HELD] = "never used, or in somebody's hands",
		[FOOTER_LIVE] = "live",
		[FOOTER_FREED] = "freed",
		[FOOTER_BAD] = "with a damaged end",
	};
	struct footer footer;

	block_footer_read(pointer, block, &footer);
	tale_line(tale, "  %s: %p, %s, %zu of %zu bytes", which, pointer,
		  states[footer.state], footer.size,
		  block->size - block_footer_size());
	tell_stack(tale, "allocated", footer.made);
	tell_stack(tale, "freed", footer.freed);
}

/* Shows sixteen bytes from that one on, as far as they are the block's. */
static void tell_bytes(struct tale *tale, const char *start, const char *at,
		       const char *end)
{
	char text[3 * BYTES_SHOWN + 1];
	size_t i, n = 0;

	for (i = 0; i < BYTES_SHOWN && at + i < end; i++)
		n += (size_t)report_format(text + n, sizeof(text) - n, " %s%x",
					   (unsigned char)at[i] < 16 ? "0" : "",
					   (unsigned char)at[i]);
	tale_line(tale, "  bytes from %p on, %zu behind its start:%s",
		  (const void *)at, (size_t)(at - start), n ? text : "");
}

static void tell_neighbour(struct tale *tale, const char *which,
			   const void *pointer, const struct block *block,
			   int step)
{
	const char *at = (const char *)pointer + step * (ptrdiff_t)block->size;
	struct block other;

	page_map_find(at, &other);
	if (other.kind == BLOCK_OBJECT && other.unit == block->unit)
		tell_footer(tale, which, at, &other);
}

static void tell_who(struct tale *tale)
{
	tale_line(tale, "  found by thread %d of process %d:", who_tid(),
		  system_getpid());
	tell_stack(tale, "called",
		   sampler_has_tables() ? sample_stack_keep() : 0);
}

static void tell_block(struct tale *tale, const void *pointer,
		       const struct block *block, const char *at)
{
	tell_footer(tale, "the block", pointer, block);
	if (at)
		tell_bytes(tale, pointer, at,
			   (const char *)pointer + block->size);
	if (block->kind != BLOCK_OBJECT)
		return;
	tell_neighbour(tale, "left of it", pointer, block, -1);
	tell_neighbour(tale, "right of it", pointer, block, 1);
}

/* The object that holds an address at which none begins. */
static void tell_around(struct tale *tale, const void *pointer)
{
	struct region *region;
	const struct unit_tag *tag = page_map_slab(pointer, &region);
	const char *start = pointer;
	struct block block;

	if (!tag)
		return;
	page_map_object(region, tag, pointer, &block);
	start -= ((uint32_t)(uintptr_t)pointer - tag->start) % block.size;
	page_map_find(start, &block);
	if (block.kind == BLOCK_OBJECT)
		tell_footer(tale, "it lies in", start, &block);
}

_Noreturn cold void tell_fault(const void *pointer, const struct block *block,
			       const char *at, const char *fmt, ...)
{
	struct tale tale;
	va_list args;

	va_start(args, fmt);
	tale_vbegin(&tale, fmt, args);
	va_end(args);
	if (config_checks_full() && block->kind != BLOCK_GUARDED) {
		tell_who(&tale);
		if (block->kind == BLOCK_OBJECT || block->kind == BLOCK_RUN)
			tell_block(&tale, pointer, block, at);
		else
			tell_around(&tale, pointer);
	}
	tale_end(&tale);
	system_abort();
}
