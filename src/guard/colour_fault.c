/* layer 4.13: colour_fault: accesses by another colour; see the header */
#define _GNU_SOURCE /* REG_RIP and its like */
#include "guard/colour_fault.h"

#include "guard/long_report.h"
#include "guard/who.h"
#include "sample/unwind.h"
#include "slab/page_map.h"
#include "system/colours.h"
#include "system/report.h"
#include "system/system.h"
#if defined(__x86_64__)
#include "guard/context_x86_64.h"
#elif defined(__aarch64__)
#include "guard/context_aarch64.h"
#endif

#define CODE_LATE 8	      /* SEGV_MTEAERR */
#define CODE_AT_ONCE 9	      /* SEGV_MTESERR */
#define FLAG_COLOUR_TOO 0x800 /* SA_EXPOSE_TAGBITS */
#define PLACE_SIZE 80

/* What is known of an access. */
struct colour_fault {
	const char *at;	  /* plain */
	unsigned colour;  /* of the pointer; 0: not told */
	const char *kind; /* what is said of it */
	char place[PLACE_SIZE];
};

int colour_fault_flags(void)
{
	return colours_are_on() ? FLAG_COLOUR_TOO : 0;
}

bool colour_fault_is_late(const siginfo_t *info)
{
	return info->si_code == CODE_LATE;
}

bool colour_fault_is(const siginfo_t *info)
{
	return colours_are_on() && info->si_signo == SIGSEGV &&
	       (info->si_code == CODE_AT_ONCE || colour_fault_is_late(info));
}

static bool object_has(const char *start, unsigned colour)
{
	return mte_colour(mte_load(start)) == colour;
}

/* Bytes of an object that have that colour, from its start. */
static size_t coloured_size(const char *start, const struct block *block,
			    unsigned colour)
{
	size_t size = 0;

	while (size < block->size && object_has(start + size, colour))
		size += MTE_GRANULE;
	return size;
}

static void say_overflow(struct colour_fault *c, const char *start,
			 const struct block *block)
{
	size_t size = coloured_size(start, block, c->colour);

	c->kind = "overflow";
	report_format(c->place, PLACE_SIZE,
		      "%zu bytes right of a block of up to %zu bytes",
		      (size_t)(c->at - start) - size, size);
}

static void say_underflow(struct colour_fault *c, const char *start,
			  const struct block *block)
{
	c->kind = "underflow";
	report_format(c->place, PLACE_SIZE,
		      "%zu bytes left of a block of up to %zu bytes",
		      (size_t)(start - c->at),
		      coloured_size(start, block, c->colour));
}

static void say_freed(struct colour_fault *c, const char *start,
		      const struct block *block)
{
	c->kind = "use after free";
	report_format(c->place, PLACE_SIZE,
		      "%zu bytes into an object of %zu bytes",
		      (size_t)(c->at - start), (size_t)block->size);
}

/* Of two neighbours that have the pointer's colour the nearer one. */
static void say_neighbour(struct colour_fault *c, const char *start,
			  const struct block *block)
{
	uint32_t last = size_classes[block->size_class].nr_objects - 1u;
	size_t size = block->size, into = (size_t)(c->at - start);
	const char *left = start - size, *right = start + size;
	bool ran_left = block->index < last && object_has(right, c->colour);
	bool ran_right = block->index && object_has(left, c->colour);

	if (ran_right && (!ran_left || into < size / 2))
		say_overflow(c, left, block);
	else if (ran_left)
		say_underflow(c, right, block);
}

/* Says what is likely of an access to an object's memory. */
static void say_object(struct colour_fault *c, const char *start,
		       const struct block *block)
{
	if (!colours_fit(block->index, c->colour))
		say_neighbour(c, start, block);
	else if (object_has(start, c->colour))
		say_overflow(c, start, block);
	else
		say_freed(c, start, block);
}

static void colour_fault_read(struct colour_fault *c, const siginfo_t *info)
{
	struct block block;
	const char *start;

	*c = (struct colour_fault){
		.at = mte_plain(info->si_addr),
		.colour = mte_colour(info->si_addr),
		.kind = "wrong colour",
	};
	report_format(c->place, PLACE_SIZE, "by a pointer of colour %u",
		      c->colour);
	if (!c->colour || !page_map_look(c->at, &block))
		return;
	if (block.kind != BLOCK_OBJECT && block.kind != BLOCK_INSIDE)
		return;
	start = region_addr(block.region, block.unit) +
		(size_t)block.index * block.size;
	say_object(c, start, &block);
}

static void tell_where(struct long_report *report, const ucontext_t *context)
{
	uint64_t pcs[UNWIND_MOST];
	struct frame frame;

	context_frame(context, &frame);
	long_report_line(report,
			 "  accessed by thread %d of process %d:", who_tid(),
			 system_getpid());
	long_report_calls(report, pcs, unwind(&frame, pcs, UNWIND_MOST));
	long_report_end(report);
}

void colour_fault_tell(const siginfo_t *info, const ucontext_t *context)
{
	struct long_report report;
	struct colour_fault c;

	if (colour_fault_is_late(info)) {
		long_report_begin(&report,
				  "wrong colour: an access before this one, "
				  "which mte=sync would tell");
	} else {
		colour_fault_read(&c, info);
		long_report_begin(&report, "%s: %s %p, %s", c.kind,
				  context_access(context), info->si_addr,
				  c.place);
	}
	tell_where(&report, context);
}
