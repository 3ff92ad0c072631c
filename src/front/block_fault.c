/* layer 5.2: block_fault: the end of the program over one block; see
 * block_fault.h */
#include "front/block_fault.h"

#include <stdarg.h>

#include "guard/long_report.h"
#include "guard/who.h"
#include "sample/sampler.h"
#include "sample/stack.h"
#include "sample/trace.h"
#include "system/config.h"
#include "system/report.h"
#include "system/system.h"

#define BYTES_SHOWN 16

static void tell_stack(struct long_report *report, const char *what,
		       uint32_t stack)
{
	if (!stack || !sampler_has_tables() ||
	    stack >= trace_used_size() / sizeof(uint64_t))
		return;
	long_report_line(report, "  %s by:", what);
	long_report_stack(report, stack);
}

static void tell_footer(struct long_report *report, const char *which,
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
	long_report_line(report, "  %s: %p, %s, %zu of %zu bytes", which,
			 pointer, states[footer.state], footer.size,
			 block->size - block_footer_size());
	tell_stack(report, "allocated", footer.made);
	tell_stack(report, "freed", footer.freed);
}

/* Shows sixteen bytes from that one on, as far as they are the block's. */
static void tell_bytes(struct long_report *report, const char *start,
		       const char *at, const char *end)
{
	char text[3 * BYTES_SHOWN + 1];
	size_t i, n = 0;

	for (i = 0; i < BYTES_SHOWN && at + i < end; i++)
		n += (size_t)report_format(text + n, sizeof(text) - n, " %s%x",
					   (unsigned char)at[i] < 16 ? "0" : "",
					   (unsigned char)at[i]);
	long_report_line(report, "  bytes from %p on, %zu behind its start:%s",
			 (const void *)at, (size_t)(at - start), n ? text : "");
}

static void tell_neighbour(struct long_report *report, const char *which,
			   const void *pointer, const struct block *block,
			   int step)
{
	const char *at = (const char *)pointer + step * (ptrdiff_t)block->size;
	struct block other;

	page_map_find(at, &other);
	if (other.kind == BLOCK_OBJECT && other.unit == block->unit)
		tell_footer(report, which, at, &other);
}

static void tell_who(struct long_report *report)
{
	long_report_line(report,
			 "  found by thread %d of process %d:", who_tid(),
			 system_getpid());
	tell_stack(report, "called",
		   sampler_has_tables() ? sample_stack_keep() : 0);
}

static void tell_block(struct long_report *report, const void *pointer,
		       const struct block *block, const char *at)
{
	tell_footer(report, "the block", pointer, block);
	if (at)
		tell_bytes(report, pointer, at,
			   (const char *)pointer + block->size);
	if (block->kind != BLOCK_OBJECT)
		return;
	tell_neighbour(report, "left of it", pointer, block, -1);
	tell_neighbour(report, "right of it", pointer, block, 1);
}

/* The object that holds an address at which none begins. */
static void tell_around(struct long_report *report, const void *pointer)
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
		tell_footer(report, "it lies in", start, &block);
}

_Noreturn cold void block_fault(const void *pointer, const struct block *block,
				const char *at, const char *fmt, ...)
{
	struct long_report report;
	va_list args;

	va_start(args, fmt);
	long_report_vbegin(&report, fmt, args);
	va_end(args);
	if (config_checks_full() && block->kind != BLOCK_GUARDED) {
		tell_who(&report);
		if (block->kind == BLOCK_OBJECT || block->kind == BLOCK_RUN)
			tell_block(&report, pointer, block, at);
		else
			tell_around(&report, pointer);
	}
	long_report_end(&report);
	system_abort();
}
