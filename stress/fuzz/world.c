/* world: the system layer of fuzzing builds, in place of src/system/linux.c
 *
 * Memory is really mapped, purged and moved, so that the kernel finds every
 * access out of place. The arguments of each call are checked against what was
 * mapped.
 */
#define _GNU_SOURCE
#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"

#define HUGEPAGE (2 * MIB)
#define MAPPED_MOST (8192 * MIB) /* as where overcommit is refused */
#define NR_RANGES_MOST 128
#define TEXT_SIZE 16384
#define CLOCK_START 1000000

struct world world;
struct rseq_area world_area;
unsigned int fuzz_rseq_size;
unsigned long world_features;
/* The names that the library's sources have for libc's. */
char **fuzz_environ;
ptrdiff_t fuzz_rseq_offset;
unsigned long fuzz_getauxval(unsigned long type);

/* The library's variables: the linker's names for their sections. */
extern char __start_lane_data[], __stop_lane_data[];
extern char __start_lane_bss[], __stop_lane_bss[];

static struct {
	char *addr;
	size_t size;
} ranges[NR_RANGES_MOST];
static unsigned nr_ranges;
static size_t address_size;
static char text[TEXT_SIZE];
static size_t text_length;
static char *environment[2];
static const uint8_t *input, *input_end;

_Noreturn void finding(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "FINDING: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	abort();
}

/* The input */

void input_set(const uint8_t *data, size_t size)
{
	input = data;
	input_end = data + size;
}

bool input_ended(void)
{
	return input == input_end;
}

uint8_t input_byte(void)
{
	return input == input_end ? 0 : *input++;
}

uint16_t input_short(void)
{
	unsigned low = input_byte();

	return (uint16_t)(low | (unsigned)input_byte() << 8);
}

unsigned input_below(unsigned n)
{
	return input_byte() % n;
}

/* Setting back */

static void variables_reset(void)
{
	static char *saved;
	size_t size = (size_t)(__stop_lane_data - __start_lane_data);

	if (!saved) {
		saved = malloc(size);
		must(saved);
		memcpy(saved, __start_lane_data, size);
	}
	memcpy(__start_lane_data, saved, size);
	memset(__start_lane_bss, 0,
	       (size_t)(__stop_lane_bss - __start_lane_bss));
}

void world_reset(void)
{
	while (nr_ranges) {
		nr_ranges--;
		must(!munmap(ranges[nr_ranges].addr, ranges[nr_ranges].size));
	}
	variables_reset();
	address_size = 0;
	world_text_clear();
	world_set_environment(NULL);
	memset(&world, 0, sizeof(world));
	world.now = CLOCK_START;
	world.page = 4 * KIB;
	world.nr_cpus = 4;
	world.pid = 1000;
	fuzz_rseq_offset = (char *)&world_area - percpu_thread_pointer();
	fuzz_rseq_size = 32;
	world_features = 28;
	memset(&world_area, 0, sizeof(world_area));
}

void world_set_environment(char *conf)
{
	environment[0] = conf;
	fuzz_environ = environment;
}

void world_set_id(uint32_t id)
{
	world_area.cpu_id_start = id;
	world_area.cpu_id = id;
	world_area.mm_cid = id;
}

unsigned long fuzz_getauxval(unsigned long type)
{
	(void)type;
	return world_features;
}

/* Ranges */

static bool fails(enum world_call call)
{
	if (!world.plan[call].fail)
		return false;
	if (world.plan[call].skip) {
		world.plan[call].skip--;
		return false;
	}
	world.plan[call].fail--;
	world.nr_failures++;
	return true;
}

bool world_is_mapped(const void *addr, size_t size)
{
	const char *at = addr;
	unsigned i;

	for (i = 0; i < nr_ranges; i++)
		if (at >= ranges[i].addr && size <= ranges[i].size &&
		    (size_t)(at - ranges[i].addr) <= ranges[i].size - size)
			return true;
	return false;
}

static void check_range(const void *addr, size_t size, const char *call)
{
	if (!size || ((uintptr_t)addr | size) % world.page)
		finding("%s(%p, %#zx): no whole pages", call, addr, size);
	if (!world_is_mapped(addr, size))
		finding("%s(%p, %#zx): not mapped", call, addr, size);
}

static size_t address_left(void)
{
	size_t limit = world.address_limit ? world.address_limit : MAPPED_MOST;

	return limit - address_size;
}

/* As the real layer does, those below leave errno as it is: the result of a
 * call of libc's goes through here. */
static int kept(int saved, int result)
{
	int error = result ? -errno : 0;

	errno = saved;
	return error;
}

static bool overlaps(const char *addr, size_t size)
{
	unsigned i;

	for (i = 0; i < nr_ranges; i++)
		if (addr < ranges[i].addr + ranges[i].size &&
		    ranges[i].addr < addr + size)
			return true;
	return false;
}

/* A mapping that begins where one ends is part of that one, as the kernel
 * has it. */
static bool range_join(char *addr, size_t size)
{
	unsigned i;

	for (i = 0; i < nr_ranges; i++) {
		if (ranges[i].addr + ranges[i].size != addr)
			continue;
		ranges[i].size += size;
		return true;
	}
	if (nr_ranges == NR_RANGES_MOST)
		return false;
	ranges[nr_ranges].addr = addr;
	ranges[nr_ranges++].size = size;
	return true;
}

int system_map_at(void *addr, size_t size)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
		    MAP_FIXED_NOREPLACE;

	must(size && !(((uintptr_t)addr | size) % world.page));
	if (overlaps(addr, size))
		return -EEXIST;
	if (fails(WORLD_MAP))
		return -ENOMEM;
	world.nr_failures++;
	if (size > address_left())
		return -ENOMEM;
	if (kept(errno, mmap(addr, size, PROT_READ | PROT_WRITE, flags, -1,
			     0) != addr))
		return -ENOMEM;
	must(range_join(addr, size));
	address_size += size;
	world.nr_failures--;
	return 0;
}

void system_map_name(void *addr, size_t size, const char *name)
{
	check_range(addr, size, "name");
	must(name != NULL);
}

bool system_is_mapped(void *addr, size_t size)
{
	return world_is_mapped(addr, size);
}

bool system_address_space_limited(void)
{
	return world.address_limit;
}

/* All of a range, its beginning or its end. */
void system_unmap(void *addr, size_t size)
{
	char *at = addr;
	unsigned i;

	if (!world_is_mapped(addr, size))
		finding("unmap(%p, %#zx): not mapped", addr, size);
	for (i = 0; at < ranges[i].addr ||
		    at >= ranges[i].addr + ranges[i].size; i++)
		;
	must(!munmap(addr, size));
	address_size -= size;
	if (at == ranges[i].addr)
		ranges[i].addr += size;
	else
		must(at + size == ranges[i].addr + ranges[i].size);
	ranges[i].size -= size;
	if (!ranges[i].size)
		ranges[i] = ranges[--nr_ranges];
}

/* Places at the beginning of the ranges, moved by hugepages. */
uint64_t system_random(void)
{
	return world.placing * HUGEPAGE;
}

int system_purge(void *addr, size_t size)
{
	check_range(addr, size, "purge");
	if (fails(WORLD_PURGE))
		return -EINVAL;
	if (world.purged)
		world.purged(addr, size);
	return kept(errno, madvise(addr, size, MADV_DONTNEED));
}

/* The page is emptied, as by the kernel; who touches it is not stopped. */
int system_guard(void *addr, size_t size, bool split)
{
	(void)split;
	check_range(addr, size, "guard");
	if (fails(WORLD_PURGE))
		return -EINVAL;
	return kept(errno, madvise(addr, size, MADV_DONTNEED));
}

int system_unguard(void *addr, size_t size, bool split)
{
	(void)split;
	check_range(addr, size, "unguard");
	return fails(WORLD_PURGE) ? -ENOMEM : 0;
}

int system_hugepages(void *addr, size_t size, bool want)
{
	(void)want;
	check_range(addr, size, "hugepages");
	return fails(WORLD_HUGEPAGES) ? -EINVAL : 0;
}

int system_move_pages(void *to, void *from, size_t size)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;

	/* The kernel refuses what are no pages, and that is a right answer. */
	if (((uintptr_t)to | (uintptr_t)from) % world.page)
		return -EINVAL;
	check_range(to, size, "move to");
	check_range(from, size, "move from");
	must((char *)to + size <= (char *)from ||
	     (char *)from + size <= (char *)to);
	if (fails(WORLD_MOVE))
		return -EINVAL;
	return kept(errno, mremap(from, size, size, flags, to) == MAP_FAILED);
}

size_t system_page_size(void)
{
	return world.page;
}

/* The process and the machine */

unsigned system_nr_cpus(void)
{
	return world.nr_cpus;
}

uint64_t system_memory_size(void)
{
	return world.memory_size;
}

uint64_t system_now_ms(void)
{
	return world.now;
}

uint64_t system_touch_ns(void *addr)
{
	*(volatile char *)addr = 0;
	return world.now;
}

int system_rseq_fence_register(void)
{
	return fails(WORLD_REGISTER) ? -ENOSYS : 0;
}

int system_rseq_fence(void)
{
	return fails(WORLD_FENCE) ? -EPERM : 0;
}

bool system_privileged(void)
{
	return false;
}

int system_getpid(void)
{
	return world.pid;
}

long system_read_file(const char *path, char *buf, size_t size)
{
	(void)path;
	(void)buf;
	(void)size;
	return -ENOENT;
}

/* A thread is started and does not run until the input says so. */
int system_thread_start(void *stack, size_t stack_size, void *tls,
			void (*run)(void *), void *arg,
			struct system_thread *thread)
{
	must(stack && stack_size && tls);
	if (fails(WORLD_THREAD))
		return -EAGAIN;
	atomic_store(&thread->tid, (uint32_t)++world.last_tid);
	world.thread = run;
	world.thread_arg = arg;
	return 0;
}

bool system_sleep(_Atomic(uint32_t) *word, uint32_t value, uint64_t timeout_ms,
		  const struct system_watch *watch)
{
	(void)watch;
	must(world.on_sleep);
	if (atomic_load(word) == value)
		world.now += timeout_ms;
	if (world.nr_sleeps-- == 0)
		longjmp(*world.on_sleep, 1);
	return true;
}

void system_wake(_Atomic(uint32_t) *word)
{
	must(word != NULL);
}

/* Messages */

const char *world_text(void)
{
	return text;
}

void world_text_clear(void)
{
	memset(text, 0, text_length);
	text_length = 0;
}

void system_write_stderr(const char *from, size_t size)
{
	must(size <= 512);
	if (size > TEXT_SIZE - 1 - text_length)
		return;
	memcpy(text + text_length, from, size);
	text_length += size;
}

/* As at start, whatever it is. */
uint64_t system_stderr_file(void)
{
	return 1;
}

bool system_stderr_appends(void)
{
	return true;
}

bool system_stderr_takes(void)
{
	return true;
}

_Noreturn void system_abort(void)
{
	if (world.on_abort)
		longjmp(*world.on_abort, 1);
	finding("the library aborts: %s", text);
}
