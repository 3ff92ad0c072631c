/* layer 1.5: place: two ranges of addresses; contract in place.h */
#include "system/place.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "system/config.h"
#include "system/sandbox.h"
#include "system/system.h"

#define RANGE_TRIES 8  /* random places that one size of T is tried with */
#define SHIFT_LEAST 33 /* of T */
#define SHIFT_USUAL 47
#define MAP_TRIES 4 /* places that one mapping is tried at */
#define HUGEPAGE_ALIGN ((size_t)2 << 20)

static _Atomic(uint64_t) next_place[NR_PLACES]; /* atomic: 0: not chosen */

/* Where a range begins and ends, in 32nds of T. */
static const struct {
	uint8_t first, end;
} bounds[NR_PLACES] = {
	[PLACE_DATA] = { 16, 20 },
	[PLACE_META] = { 20, 21 },
};

/* Returns T of a range that an address lies in, as all lie in [T/2, T). */
static uint64_t top_of(uint64_t addr)
{
	return bits_one(bits_last(addr)) << 1;
}

static uint64_t range_end(enum place place, uint64_t addr)
{
	return top_of(addr) / 32 * bounds[place].end;
}

static uint64_t stack_top(void)
{
	return top_of((uint64_t)(uintptr_t)__builtin_frame_address(0));
}

/* Draws a place in the lower half of the range that T says. */
static uint64_t range_draw(enum place place, uint64_t top)
{
	size_t align = place == PLACE_DATA ? HUGEPAGE_ALIGN :
					     system_page_size();
	uint64_t first = top / 32 * bounds[place].first;
	uint64_t half = (top / 32 * bounds[place].end - first) / 2;

	return first + round_down(system_random() % half, align);
}

/* Whether memory can be mapped there at all. */
static bool range_is_usable(uint64_t addr)
{
	void *at = (void *)(uintptr_t)addr;
	size_t size = system_page_size();

	if (system_map_at(at, size))
		return false;
	system_unmap(at, size);
	return true;
}

/* Machines and tools with fewer addresses refuse the higher ones. */
static uint64_t range_choose(enum place place)
{
	uint64_t top = stack_top(), addr;
	unsigned i;

	/* A stack among the variables of a program at low addresses. */
	if (!(top >> SHIFT_LEAST))
		top = bits_one(SHIFT_USUAL);
	for (; top >> SHIFT_LEAST; top /= 2) {
		for (i = 0; i < RANGE_TRIES; i++) {
			addr = range_draw(place, top);
			if (range_is_usable(addr))
				return addr;
		}
	}
	return 0;
}

/* Returns where the next place begins; 0: there is no range. */
static uint64_t range_next(enum place place)
{
	uint64_t at = load_relaxed(&next_place[place]); // own: addresses only
	uint64_t chosen;

	if (likely(at))
		return at;
	chosen = range_choose(place);
	if (!chosen)
		return 0;
	// own: an address is all that there is to it
	return cas_relaxed(&next_place[place], &at, chosen) ? chosen : at;
}

/* Returns where a place of that size begins, of a range whose next one begins
 * at `at`; 0: behind the range's end. */
static uint64_t place_within(enum place place, uint64_t at, size_t size,
			     size_t align)
{
	uint64_t addr = round_up(at, align), end = range_end(place, at);

	return addr < end && size <= end - addr ? addr : 0;
}

char *place_take(enum place place, size_t size, size_t align)
{
	uint64_t at = range_next(place), addr;

	do {
		addr = at ? place_within(place, at, size, align) : 0;
		if (!addr)
			return NULL;
		// own: the winner alone has these addresses
	} while (!cas_relaxed(&next_place[place], &at, addr + size));
	return (char *)(uintptr_t)addr;
}

void place_untake(enum place place, char *addr, size_t size)
{
	uint64_t at = (uint64_t)(uintptr_t)addr, end = at + size;

	cas_relaxed(&next_place[place], &end, at); // own: nobody took since
}

size_t place_size_most(enum place place)
{
	uint64_t at = range_next(place);

	/* The upper half is nobody's start. */
	return at ? top_of(at) / 64 *
			       (bounds[place].end - bounds[place].first) :
		    0;
}

/* Within one T blocks lie below all else. */
static enum place place_of(uint64_t addr)
{
	uint64_t end = range_end(PLACE_DATA, addr);

	return addr < end ? PLACE_DATA : PLACE_META;
}

static cold void map_name(void *addr, size_t size)
{
	static const char *const names[NR_PLACES] = {
		[PLACE_DATA] = "lanemalloc blocks",
		[PLACE_META] = "lanemalloc metadata",
	};

	if (!sandbox_try_rare(SANDBOX_OF_ANYBODY))
		return;
	system_map_name(addr, size, names[place_of((uintptr_t)addr)]);
	sandbox_rare_done();
}

int place_map_at(void *addr, size_t size)
{
	int result = system_map_at(addr, size);

	if (unlikely(config.map_names) && !result)
		map_name(addr, size);
	return result;
}

void *place_map(size_t size)
{
	size_t page = system_page_size(), whole;
	unsigned i;
	char *addr;
	int result;

	if (size > (size_t)1 << 46)
		return NULL;
	size = round_up(size, page);
	whole = round_up(size + PLACE_GAP, PLACE_GAP);
	for (i = 0; i < MAP_TRIES; i++) {
		addr = place_take(PLACE_META, whole, page);
		if (!addr)
			return NULL;
		result = place_map_at(addr, size);
		if (!result)
			return addr;
		if (result != -EEXIST) {
			place_untake(PLACE_META, addr, whole);
			return NULL;
		}
	}
	return NULL;
}
