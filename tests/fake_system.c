/* fake_system: the functions of system.h that fail on demand, around the real
 * ones; see fake_system.h */
#include "fake_system.h"

#include <errno.h>
#include <string.h>

#include "../stress/harness/replace.h"
#include "system/fault.h"

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

void fake_reset_quiet(void)
{
	fake_reset();
	fake.quiet = true;
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
REPLACE(int, system_map_at, void *addr, size_t size)
{
	const char *from = addr, *taken = fake.taken;
	int result;

	if (must_fail(FAKE_MAP))
		return -ENOMEM;
	if (taken && from < taken + fake.taken_size && taken < from + size)
		return -EEXIST;
	if (!charge(size))
		return -ENOMEM;
	result = __real_system_map_at(addr, size);
	if (result)
		uncharge(size);
	return result;
}

REPLACE(void, system_map_name, void *addr, size_t size, const char *name)
{
	fake.named = (struct fake_named){ addr, size, name };
	fake.nr_named++;
	__real_system_map_name(addr, size, name);
}

REPLACE(bool, system_address_space_limited, void)
{
	return fake.address_limit || __real_system_address_space_limited();
}

REPLACE(void, system_unmap, void *addr, size_t size)
{
	count(FAKE_UNMAP);
	if (system_is_mapped(addr, size))
		uncharge(size);
	__real_system_unmap(addr, size);
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

REPLACE(int, system_purge, void *addr, size_t size)
{
	int ret;

	/* The kernel rounds the length up, into the neighbour. */
	check(fits_pages(addr, size));
	if (must_fail(FAKE_PURGE) || is_locked(addr, size))
		return -EINVAL;
	ret = __real_system_purge(addr, size);
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

	for (unsigned i = 0; i < fake_nr_purged(); i++)
		sum += purged[i].size;
	return sum;
}

bool fake_purge_touched(const void *addr, size_t size)
{
	const char *begin = addr;

	for (unsigned i = 0; i < fake_nr_purged(); i++) {
		if (purged[i].addr < begin + size &&
		    begin < purged[i].addr + purged[i].size)
			return true;
	}
	return false;
}

#define PAGES_REFUSED(kind, error, name, parameters, arguments)           \
	REPLACE_REFUSED(must_fail(kind) || !fits_pages(addr, size), error, \
			name, parameters, arguments)

PAGES_REFUSED(FAKE_GUARD, EINVAL, system_guard,
	      (void *addr, size_t size, bool split), (addr, size, split))
PAGES_REFUSED(FAKE_UNGUARD, ENOMEM, system_unguard,
	      (void *addr, size_t size, bool split), (addr, size, split))

REPLACE(int, system_move_pages, void *to, void *from, size_t size)
{
	int result;

	if (must_fail(FAKE_MOVE) || !fits_pages(to, size) ||
	    !fits_pages(from, size))
		return -EINVAL;
	result = __real_system_move_pages(to, from, size);
	if (fake.after_move)
		fake.after_move();
	return result;
}

REPLACE(int, system_hugepages, void *addr, size_t size, bool want)
{
	if (must_fail(FAKE_HUGEPAGES) || !fits_pages(addr, size))
		return -EINVAL;
	fake.huge = want;
	return __real_system_hugepages(addr, size, want);
}

REPLACE(uint64_t, system_touch_ns, void *addr)
{
	__real_system_touch_ns(addr);
	return fake.huge ? fake.huge_ns : fake.small_ns;
}

/* The process and the machine */

REPLACE(size_t, system_page_size, void)
{
	return fake.page_size ? fake.page_size : __real_system_page_size();
}

REPLACE(uint64_t, system_memory_size, void)
{
	return fake.memory_size ? fake.memory_size : (uint64_t)1 << 38;
}

REPLACE(unsigned, system_nr_cpus, void)
{
	return fake.nr_cpus ? fake.nr_cpus : __real_system_nr_cpus();
}

REPLACE(uint64_t, system_now_ms, void)
{
	return load_relaxed(&fake_now_ms); // counter
}

REPLACE(bool, system_privileged, void)
{
	return fake.privileged || __real_system_privileged();
}

REPLACE(int, system_getpid, void)
{
	return fake.pid ? fake.pid : __real_system_getpid();
}

#define REFUSED(kind, ...) REPLACE_REFUSED(must_fail(kind), __VA_ARGS__)

REFUSED(FAKE_REGISTER, ENOSYS, system_rseq_fence_register, (void), ())
REFUSED(FAKE_FENCE, EPERM, system_rseq_fence, (void), ())
REFUSED(FAKE_USABLE_CPUS, EPERM, system_nr_usable_cpus, (void), ())
REFUSED(FAKE_BIND, EINVAL, system_bind_to_cpu, (uint32_t cpu), (cpu))
REFUSED(FAKE_RSEQ, EINVAL, system_rseq_register,
	(void *area, uint32_t size, uint32_t signature),
	(area, size, signature))
REFUSED(FAKE_THREAD_START, EAGAIN, system_thread_start,
	(void *stack, size_t stack_size, void *tls, void (*run)(void *),
	 void *arg, struct system_thread *thread),
	(stack, stack_size, tls, run, arg, thread))

REPLACE(int, system_interleave, void *addr, size_t size, uint64_t nodes)
{
	(void)addr, (void)size, (void)nodes;
	return must_fail(FAKE_INTERLEAVE) ? -EPERM : 0;
}

REPLACE(int, system_kernel_release, char release[SYSTEM_RELEASE_SIZE])
{
	int result;

	if (must_fail(FAKE_RELEASE))
		return -ENOSYS;
	result = __real_system_kernel_release(release);
	if (fake.release)
		strncpy(release, fake.release, SYSTEM_RELEASE_SIZE - 1);
	return result;
}

REPLACE(bool, system_sleep,
	_Atomic(uint32_t) *word, uint32_t value, uint64_t timeout_ms,
	const struct system_watch *watch)
{
	count(FAKE_SLEEP);
	if (!fake.sleep_moves_clock)
		return __real_system_sleep(word, value, timeout_ms, watch);
	if (load_relaxed(word) == value) // hint: the sleeper looks again
		add_relaxed(&fake_now_ms, timeout_ms); // counter
	return true;
}

REPLACE(void, system_wake, _Atomic(uint32_t) *word)
{
	count(FAKE_WAKE);
	__real_system_wake(word);
}

/* Files and messages */

void fake_file(const char *path, const char *content)
{
	check(nr_files < NR_FILES_MOST);
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
REPLACE(long, system_read_file, const char *path, char *buf, size_t size)
{
	if (must_fail(FAKE_READ_FILE))
		return -ENOENT;
	for (unsigned i = nr_files; i > 0; i--) {
		if (!strcmp(files[i - 1].path, path))
			return copy_text(files[i - 1].text, buf, size);
	}
	return __real_system_read_file(path, buf, size);
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

REPLACE(void, system_write_stderr, const char *from, size_t size)
{
	size_t at = add_relaxed(&text_length, size); // counter

	for (size_t i = 0; i < size && at + i < TEXT_SIZE - 1; i++)
		text[at + i] = from[i];
	if (!fake.quiet)
		__real_system_write_stderr(from, size);
}

REPLACE(_Noreturn void, system_abort, void)
{
	count(FAKE_ABORT);
	if (fake_abort_target)
		longjmp(*fake_abort_target, 1);
	__real_system_abort();
}
