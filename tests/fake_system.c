/* The real system layer under other names, and system.h's names around it.
 * See fake_system.h. */
#define system_map_at real_map_at
#define system_map_name real_map_name
#define system_address_space_limited real_address_space_limited
#define system_unmap real_unmap
#define system_is_mapped real_is_mapped
#define system_purge real_purge
#define system_guard real_guard
#define system_unguard real_unguard
#define system_hugepages real_hugepages
#define system_move_pages real_move_pages
#define system_page_size real_page_size
#define system_nr_cpus real_nr_cpus
#define system_memory_size real_memory_size
#define system_random real_random
#define system_now_ms real_now_ms
#define system_touch_ns real_touch_ns
#define system_rseq_fence_register real_rseq_fence_register
#define system_rseq_fence real_rseq_fence
#define system_privileged real_privileged
#define system_getpid real_getpid
#define system_write_stderr real_write_stderr
#define system_abort real_abort
#define system_sleep real_sleep
#define system_wake real_wake
#define system_thread_start real_thread_start
#define system_read_file real_read_file
#define system_nr_usable_cpus real_nr_usable_cpus
#define system_bind_to_cpu real_bind_to_cpu
#define system_interleave real_interleave
#define system_rseq_register real_rseq_register
#define system_rseq_unregister real_rseq_unregister
#define system_kernel_release real_kernel_release
#include "system/linux.c"
#include "system/cpus.c"
#undef system_map_at
#undef system_map_name
#undef system_address_space_limited
#undef system_unmap
#undef system_is_mapped
#undef system_purge
#undef system_guard
#undef system_unguard
#undef system_hugepages
#undef system_move_pages
#undef system_page_size
#undef system_nr_cpus
#undef system_memory_size
#undef system_random
#undef system_now_ms
#undef system_touch_ns
#undef system_rseq_fence_register
#undef system_rseq_fence
#undef system_privileged
#undef system_getpid
#undef system_write_stderr
#undef system_abort
#undef system_sleep
#undef system_wake
#undef system_thread_start
#undef system_read_file
#undef system_nr_usable_cpus
#undef system_bind_to_cpu
#undef system_interleave
#undef system_rseq_register
#undef system_rseq_unregister
#undef system_kernel_release
/* Again, for the names themselves. */
#undef LANE_SYSTEM_H
#undef LANE_CPUS_H
#include "fake_system.h"

#include <string.h>

#include "system/report.h"

#define NR_FILES_MOST 16
#define TEXT_SIZE 4096
#define CLOCK_START 1000000

/* n counts down to the failing call: 0 is off, 1 means the next one. */
struct counter {
	_Atomic(unsigned long) nr_calls;    /* atomic */
	_Atomic(unsigned long) nr_failures; /* atomic */
	unsigned long fail_at;              /* const while threads run */
	unsigned long fail_from;            /* const while threads run */
};

struct fake_settings fake;
_Atomic(uint64_t) fake_now_ms = CLOCK_START;
jmp_buf *fake_abort_target;

static struct counter counters[NR_FAKE_CALLS];
static _Atomic(size_t) address_size;
static _Atomic(unsigned) nr_purged;
static struct fake_range purged[FAKE_RANGES_MOST];
static struct {
	const char *path, *text;
} files[NR_FILES_MOST];
static unsigned nr_files;
static char text[TEXT_SIZE];
static _Atomic(size_t) text_length;

void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(counters, 0, sizeof(counters));
	store_relaxed(&fake_now_ms, CLOCK_START); // before publish
	store_relaxed(&address_size, 0);          // before publish
	store_relaxed(&nr_purged, 0);             // before publish
	nr_files = 0;
	fake_abort_target = NULL;
	fake_text_clear();
}

/* Calls are numbered from 1; k counts from the next one. */
static unsigned long number_of(enum fake_call kind, unsigned long k)
{
	return k ? fake_calls(kind) + k : 0;
}

void fake_fail_at(enum fake_call kind, unsigned long k)
{
	counters[kind].fail_at = number_of(kind, k);
}

void fake_fail_from(enum fake_call kind, unsigned long k)
{
	counters[kind].fail_from = number_of(kind, k);
}

unsigned long fake_calls(enum fake_call kind)
{
	return load_relaxed(&counters[kind].nr_calls); // counter
}

unsigned long fake_failures(enum fake_call kind)
{
	return load_relaxed(&counters[kind].nr_failures); // counter
}

static void count(enum fake_call kind)
{
	add_relaxed(&counters[kind].nr_calls, 1); // counter
}

static bool counts_down(struct counter *counter)
{
	unsigned long n = add_relaxed(&counter->nr_calls, 1) + 1; // counter

	return n == counter->fail_at ||
	       (counter->fail_from && n >= counter->fail_from);
}

/* Counts the call; whether it is to fail. */
static bool must_fail(enum fake_call kind)
{
	bool fails = counts_down(&counters[kind]);

	fails |= counts_down(&counters[FAKE_ANY]);
	if (fails) {
		add_relaxed(&counters[kind].nr_failures, 1);     // counter
		add_relaxed(&counters[FAKE_ANY].nr_failures, 1); // counter
	}
	return fails;
}

/* Address space */

/* Reverts itself where the limit does not allow it. */
static bool charge(size_t size)
{
	size_t before = add_relaxed(&address_size, size); // counter

	if (!fake.address_limit || (before <= fake.address_limit &&
				    size <= fake.address_limit - before))
		return true;
	sub_relaxed(&address_size, size); // counter
	return false;
}

static void uncharge(size_t size)
{
	sub_relaxed(&address_size, size); // counter
}

size_t fake_address_size(void)
{
	return load_relaxed(&address_size); // counter
}

/* Refused as by a limit; at the places that fake.taken says, as where somebody
 * else's memory is. */
int system_map_at(void *addr, size_t size)
{
	const char *from = addr, *taken = fake.taken;
	int result;

	if (must_fail(FAKE_MAP))
		return -ENOMEM;
	if (taken && from < taken + fake.taken_size && taken < from + size)
		return -EEXIST;
	if (!charge(size))
		return -ENOMEM;
	result = real_map_at(addr, size);
	if (result)
		uncharge(size);
	return result;
}

void system_map_name(void *addr, size_t size, const char *name)
{
	fake.named = (struct fake_named){ addr, size, name };
	fake.nr_named++;
	real_map_name(addr, size, name);
}

bool system_is_mapped(void *addr, size_t size)
{
	return real_is_mapped(addr, size);
}

uint64_t system_random(void)
{
	return real_random();
}

bool system_address_space_limited(void)
{
	return fake.address_limit || real_address_space_limited();
}

void system_unmap(void *addr, size_t size)
{
	count(FAKE_UNMAP);
	if (real_is_mapped(addr, size))
		uncharge(size);
	real_unmap(addr, size);
}

/* Pages */

static bool fits_pages(const void *addr, size_t size)
{
	return !(((size_t)addr | size) & (system_page_size() - 1));
}

static void record_purge(void *addr, size_t size)
{
	unsigned i = add_relaxed(&nr_purged, 1); // counter

	if (i < FAKE_RANGES_MOST)
		purged[i] = (struct fake_range){ addr, size };
}

static bool is_locked(const char *addr, size_t size)
{
	return addr < fake.locked + fake.locked_size &&
	       fake.locked < addr + size;
}

int system_purge(void *addr, size_t size)
{
	int ret;

	/* The kernel rounds the length up, into the neighbour. */
	check(fits_pages(addr, size));
	if (must_fail(FAKE_PURGE) || is_locked(addr, size))
		return -EINVAL;
	ret = real_purge(addr, size);
	if (!ret)
		record_purge(addr, size);
	return ret;
}

unsigned fake_nr_purged(void)
{
	unsigned n = load_relaxed(&nr_purged); // counter

	return n < FAKE_RANGES_MOST ? n : FAKE_RANGES_MOST;
}

struct fake_range fake_purged(unsigned i)
{
	return purged[i];
}

size_t fake_purged_size(void)
{
	size_t sum = 0;
	unsigned i;

	for (i = 0; i < fake_nr_purged(); i++)
		sum += purged[i].size;
	return sum;
}

bool fake_purge_touched(const void *addr, size_t size)
{
	const char *begin = addr;
	unsigned i;

	for (i = 0; i < fake_nr_purged(); i++) {
		if (purged[i].addr < begin + size &&
		    begin < purged[i].addr + purged[i].size)
			return true;
	}
	return false;
}

int system_guard(void *addr, size_t size, bool split)
{
	if (must_fail(FAKE_GUARD) || !fits_pages(addr, size))
		return -EINVAL;
	return real_guard(addr, size, split);
}

int system_unguard(void *addr, size_t size, bool split)
{
	if (must_fail(FAKE_UNGUARD) || !fits_pages(addr, size))
		return -ENOMEM;
	return real_unguard(addr, size, split);
}

int system_hugepages(void *addr, size_t size, bool want)
{
	if (must_fail(FAKE_HUGEPAGES) || !fits_pages(addr, size))
		return -EINVAL;
	fake.huge = want;
	return real_hugepages(addr, size, want);
}

uint64_t system_touch_ns(void *addr)
{
	real_touch_ns(addr);
	return fake.huge ? fake.huge_ns : fake.small_ns;
}

int system_move_pages(void *to, void *from, size_t size)
{
	if (must_fail(FAKE_MOVE) || !fits_pages(to, size) ||
	    !fits_pages(from, size))
		return -EINVAL;
	return real_move_pages(to, from, size);
}

/* The process and the machine */

size_t system_page_size(void)
{
	return fake.page_size ? fake.page_size : real_page_size();
}

uint64_t system_memory_size(void)
{
	return fake.memory_size ? fake.memory_size : (uint64_t)1 << 38;
}

unsigned system_nr_cpus(void)
{
	return fake.nr_cpus ? fake.nr_cpus : real_nr_cpus();
}

uint64_t system_now_ms(void)
{
	return load_relaxed(&fake_now_ms); // counter
}

bool system_privileged(void)
{
	return fake.privileged || real_privileged();
}

int system_getpid(void)
{
	return fake.pid ? fake.pid : real_getpid();
}

int system_rseq_fence_register(void)
{
	return must_fail(FAKE_REGISTER) ? -ENOSYS : real_rseq_fence_register();
}

int system_rseq_fence(void)
{
	return must_fail(FAKE_FENCE) ? -EPERM : real_rseq_fence();
}

int system_nr_usable_cpus(void)
{
	return must_fail(FAKE_USABLE_CPUS) ? -EPERM : real_nr_usable_cpus();
}

int system_bind_to_cpu(uint32_t cpu)
{
	return must_fail(FAKE_BIND) ? -EINVAL : real_bind_to_cpu(cpu);
}

int system_interleave(void *addr, size_t size, uint64_t nodes)
{
	(void)addr, (void)size, (void)nodes;
	return must_fail(FAKE_INTERLEAVE) ? -EPERM : 0;
}

int system_rseq_register(void *area, uint32_t size, uint32_t signature)
{
	return must_fail(FAKE_RSEQ) ? -EINVAL :
				      real_rseq_register(area, size, signature);
}

int system_rseq_unregister(void *area, uint32_t size, uint32_t signature)
{
	return real_rseq_unregister(area, size, signature);
}

int system_kernel_release(char release[SYSTEM_RELEASE_SIZE])
{
	int result;

	if (must_fail(FAKE_RELEASE))
		return -ENOSYS;
	result = real_kernel_release(release);
	if (fake.release)
		strncpy(release, fake.release, SYSTEM_RELEASE_SIZE - 1);
	return result;
}

int system_thread_start(void *stack, size_t stack_size, void *tls,
			void (*run)(void *), void *arg,
			struct system_thread *thread)
{
	if (must_fail(FAKE_THREAD_START))
		return -EAGAIN;
	return real_thread_start(stack, stack_size, tls, run, arg, thread);
}

bool system_sleep(_Atomic(uint32_t) *word, uint32_t value, uint64_t timeout_ms,
		  const struct system_watch *watch)
{
	count(FAKE_SLEEP);
	if (!fake.sleep_moves_clock)
		return real_sleep(word, value, timeout_ms, watch);
	if (load_relaxed(word) == value) // hint: the sleeper looks again
		add_relaxed(&fake_now_ms, timeout_ms); // counter
	return true;
}

void system_wake(_Atomic(uint32_t) *word)
{
	count(FAKE_WAKE);
	real_wake(word);
}

/* Files and messages */

void fake_file(const char *path, const char *content)
{
	if (nr_files == NR_FILES_MOST)
		real_abort();
	files[nr_files].path = path;
	files[nr_files++].text = content;
}

static long copy_text(const char *content, char *buf, size_t size)
{
	size_t length;

	if (!content)
		return -ENOENT;
	length = strlen(content);
	length = length < size ? length : size;
	memcpy(buf, content, length);
	return (long)length;
}

/* The last fake_file() of a path counts. */
long system_read_file(const char *path, char *buf, size_t size)
{
	unsigned i;

	if (must_fail(FAKE_READ_FILE))
		return -ENOENT;
	for (i = nr_files; i > 0; i--) {
		if (!strcmp(files[i - 1].path, path))
			return copy_text(files[i - 1].text, buf, size);
	}
	return real_read_file(path, buf, size);
}

const char *fake_text(void)
{
	return text;
}

void fake_text_clear(void)
{
	memset(text, 0, sizeof(text));
	store_relaxed(&text_length, 0); // before publish
}

void system_write_stderr(const char *from, size_t size)
{
	size_t at = add_relaxed(&text_length, size); // counter
	size_t i;

	for (i = 0; i < size && at + i < TEXT_SIZE - 1; i++)
		text[at + i] = from[i];
	if (!fake.quiet)
		real_write_stderr(from, size);
}

_Noreturn void system_abort(void)
{
	count(FAKE_ABORT);
	if (fake_abort_target)
		longjmp(*fake_abort_target, 1);
	real_abort();
}
