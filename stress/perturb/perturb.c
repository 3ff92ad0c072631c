/* perturb: the perturber
 *
 * Random numbers, counters and targets of signals lie in static arrays, so
 * that nothing here allocates, takes a lock, needs TLS or touches errno: it
 * runs in the middle of malloc, in handlers, in vfork children and in the
 * library's bare threads.
 */
#include "../harness/cpus.h"
#include "perturb.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "../harness/random.h"
#include "../harness/raw.h"
#include "hook.h"
#include "point_x86_64.h"

#define NR_TARGETS 512
#define FOCUS_ONE_IN 24
#define FOCUS_WEIGHT 48
#define NAP_NS_MOST 50000
#define PARK_NS_MOST 4000000

_Static_assert(PERTURB_NR_KINDS <= PERTURB_KINDS_MOST, "one counter each");

struct perturb_slot perturb_slots[PERTURB_SLOTS];
uint32_t perturb_section_mask;
uint32_t perturb_id_shift;

/* The linker's bounds of the two lists; a plain build has none. */
#define BOUND __attribute__((visibility("hidden"), weak))
extern struct perturb_site __start_perturb_sites[] BOUND;
extern struct perturb_site __stop_perturb_sites[] BOUND;
extern struct perturb_point __start_perturb_points[] BOUND;
extern struct perturb_point __stop_perturb_points[] BOUND;

static struct {
	volatile uint32_t every; /* 0: no injections */
	uint64_t seed;
	_Atomic(uint64_t) nr_streams;
	_Atomic(int) targets[NR_TARGETS]; /* tids; 0: free */
	cpu_set_t allowed;
	int nr_allowed;
} perturb;

static struct perturb_slot *slot_of(uint64_t tp)
{
	return &perturb_slots[tp * 0x61c88647 >> 32 & (PERTURB_SLOTS - 1)];
}

static uint64_t slot_random(struct perturb_slot *slot)
{
	if (!slot->state)
		slot->state = random_mix(perturb.seed +
					 ++perturb.nr_streams * RANDOM_STEP);
	return random_next(&slot->state);
}

/* ---- the kinds ---- */

static void delay(uint64_t random)
{
	uint64_t n = 100 + random % 1500;

	while (n--)
		__asm__ volatile("");
}

static void signal_to(long tid, int number)
{
	raw_3(SYS_tgkill, raw_0(SYS_getpid), tid, number);
}

/* From a random place on, the first target that there is; none without
 * injections. */
void perturb_signal_one(uint64_t random)
{
	unsigned i;
	int tid;

	for (i = 0; i < NR_TARGETS && perturb.every; i++) {
		tid = atomic_load(&perturb.targets[(random + i) % NR_TARGETS]);
		if (!tid)
			continue;
		signal_to(tid, SIGUSR2);
		return;
	}
}

void perturb_move(int tid, uint64_t random)
{
	cpu_set_t one;

	if (!perturb.nr_allowed) /* before the start */
		return;
	one = cpus_nth(&perturb.allowed, random);
	raw_3(SYS_sched_setaffinity, tid, sizeof(one), &one);
}

void perturb_do(enum perturb_kind kind, uint64_t random)
{
	switch (kind) {
	case PERTURB_delay:
		return delay(random);
	case PERTURB_yield:
		raw_0(SYS_sched_yield);
		return;
	case PERTURB_nap:
		return raw_sleep_ns(random % NAP_NS_MOST);
	case PERTURB_park:
		return raw_sleep_ns(random % PARK_NS_MOST);
	case PERTURB_signal_self:
		return signal_to(raw_0(SYS_gettid), SIGUSR1);
	case PERTURB_signal_other:
		return perturb_signal_one(random);
	case PERTURB_move:
		return perturb_move(0, random);
	case PERTURB_NR_KINDS:
		return;
	}
}

static enum perturb_kind kind_of(uint64_t random)
{
	static const uint8_t shares[] = {
#define PERTURB_SHARE(name, share) share,
		PERTURB_KINDS(PERTURB_SHARE)
#undef PERTURB_SHARE
	};
	unsigned kind = 0, left = random % 64;

	while (left >= shares[kind])
		left -= shares[kind++];
	return (enum perturb_kind)kind;
}

static void injection(struct perturb_site *site, struct perturb_slot *slot,
		      uint32_t every)
{
	uint64_t random = slot_random(slot);
	enum perturb_kind kind = kind_of(random >> 32);

	slot->steps = (int32_t)(random % (2 * every));
	site->injected[kind]++;
	perturb_do(kind, random_mix(random));
}

void perturb_hit(struct perturb_site *site)
{
	struct perturb_slot *slot = slot_of(raw_thread_pointer());
	uint32_t every = perturb.every; /* once: it may become 0 in here */

	site->hits++;
	if (!every)
		return;
	slot->steps -= (int32_t)site->weight;
	if (slot->steps < 0)
		injection(site, slot, every);
}

/* ---- settings ---- */

void perturb_set(uint64_t seed, uint32_t every)
{
	if (!perturb.nr_allowed)
		perturb.nr_allowed = cpus_allowed(&perturb.allowed);
	perturb.seed = seed;
	perturb_section_mask = every ? 2 * every - 1 : 0;
	perturb.every = every;
}

void perturb_thread_start(void)
{
	uint64_t tp = raw_thread_pointer();
	struct perturb_slot *slot = slot_of(tp);
	int tid = (int)raw_0(SYS_gettid), none;
	unsigned i;

	slot->section_state = (uint32_t)slot_random(slot);
	slot->owner = tp;
	for (i = 0; i < NR_TARGETS; i++) {
		none = 0;
		if (atomic_compare_exchange_strong(&perturb.targets[i], &none,
						   tid))
			return;
	}
}

void perturb_thread_end(void)
{
	int tid = (int)raw_0(SYS_gettid), own;
	unsigned i;

	perturb_trap_allow(false);
	for (i = 0; i < NR_TARGETS; i++) {
		own = tid;
		if (atomic_compare_exchange_strong(&perturb.targets[i], &own,
						   0))
			return;
	}
}

bool perturb_trap_allow(bool allow)
{
	uint64_t tp = raw_thread_pointer();
	struct perturb_slot *slot = slot_of(tp);
	bool before = slot->owner == tp;

	if (before && !allow)
		slot->owner = 0;
	else if (allow)
		slot->owner = tp;
	return before;
}

void perturb_focus(uint64_t random)
{
	struct perturb_site *site = __start_perturb_sites;
	uint64_t i;

	for (i = 0; site < __stop_perturb_sites; site++, i++)
		site->weight = random_mix(random ^ site->line) % FOCUS_ONE_IN ?
				       1 :
				       FOCUS_WEIGHT;
}

void perturb_set_id_shift(uint32_t shift)
{
	*(volatile uint32_t *)&perturb_id_shift = shift;
}

/* ---- the report ---- */

static void write_site(FILE *out, const struct perturb_site *site)
{
	unsigned i;

	fprintf(out, "site %s %u %s %s %llu", site->file, site->line,
		site->function, site->op, (unsigned long long)site->hits);
	for (i = 0; i < PERTURB_NR_KINDS; i++)
		fprintf(out, " %u", site->injected[i]);
	fputc('\n', out);
}

static void write_point(FILE *out, const struct perturb_point *point)
{
	fprintf(out, "point %u %u %llu %llu %llu %llu\n", point->line,
		point->number, (unsigned long long)point->hits,
		(unsigned long long)point->injected[0],
		(unsigned long long)point->injected[1],
		(unsigned long long)point->injected[2]);
}

void perturb_write(FILE *out)
{
	const struct perturb_site *site;
	const struct perturb_point *point;

	fputs("kinds", out);
#define PERTURB_NAME(name, share) fputs(" " #name, out);
	PERTURB_KINDS(PERTURB_NAME)
#undef PERTURB_NAME
	fputc('\n', out);
	for (site = __start_perturb_sites; site < __stop_perturb_sites; site++)
		write_site(out, site);
	point = __start_perturb_points;
	for (; point < __stop_perturb_points; point++)
		write_point(out, point);
}
