/* modes: all no-qemu */
/* hardened=1: blocks are as ever; what is freed is zero and serves nobody for a
 * while; the order of addresses is no order; slabs end in walls */
#include "expect.h"

#include <setjmp.h>

#define NR_BLOCKS 1000

static struct child child;
static sigjmp_buf fault;
static char *blocks[NR_BLOCKS];

static void role_blocks(void)
{
	for (size_t n = 1; n < 1000000; n += 1 + n / 4) {
		for (unsigned i = 0; i < 20; i++) {
			blocks[i] = i % 3 ? malloc(n) : calloc(1, n);
			must(blocks[i] && (i % 3 || is_zero(blocks[i], n)));
			pattern_fill(blocks[i], n, i);
		}
		for (unsigned i = 0; i < 20; i++) {
			must(pattern_holds(blocks[i], n, i));
			blocks[i] = realloc(blocks[i], n + n / 2);
			must(pattern_holds(blocks[i], n < 128 ? n : 128, i));
			free(blocks[i]);
		}
	}
}

/* All but the mark in the second word. */
static void role_zero(void)
{
	for (size_t n = 16; n < 3000; n += 48) {
		char *p = malloc(n);

		memset(p, 1, n);
		free(p);
		must(is_zero(opaque(p), 8));
		must(n <= 16 || is_zero(opaque(p) + 16, n - 16));
	}
}

static void role_not_at_once(void)
{
	char *p = malloc(100);

	free(p);
	for (unsigned i = 0; i < 20000; i++) {
		char *q = malloc(100);

		must(q != p);
		free(q);
	}
	p = malloc(1 << 20);
	free(p);
	for (unsigned i = 0; i < 10; i++) {
		char *q = malloc(1 << 20);

		must(q != p);
		free(q);
	}
}

/* Neither upwards nor downwards as without it. */
static void role_order(void)
{
	unsigned nr_next = 0;

	for (unsigned i = 0; i < NR_BLOCKS; i++)
		blocks[i] = malloc(112);
	for (unsigned i = 1; i < NR_BLOCKS; i++)
		nr_next += labs(blocks[i] - blocks[i - 1]) == 112;
	must(is_direct() || nr_next < NR_BLOCKS / 5);
}

static void on_fault(int signal)
{
	siglongjmp(fault, signal);
}

/* From the blocks of a slab upwards there is an end within 32 KiB. */
static void role_walls(void)
{
	static volatile size_t offset;
	char *p = malloc(64);

	signal(SIGSEGV, on_fault);
	if (sigsetjmp(fault, 1)) {
		must(offset <= 32768);
		_exit(0);
	}
	for (offset = 0; offset < MIB; offset += 64)
		((volatile char *)opaque(p))[offset] = 1;
	must(0);
}

static void *churn(void *arg)
{
	uint64_t state = (uintptr_t)arg;
	char *kept[64] = { 0 };

	for (unsigned i = 0; i < 10000; i++) {
		unsigned at = (unsigned)(random_next(&state) % 64);
		size_t size = 50 + random_next(&state) % (i % 50 ? 2000 : MIB);

		must(!kept[at] || pattern_holds(kept[at], 50, at));
		free(kept[at]);
		kept[at] = malloc(size);
		must(kept[at]);
		pattern_fill(kept[at], 50, at);
	}
	for (unsigned i = 0; i < 64; i++)
		free(kept[i]);
	return NULL;
}

static void role_threads(void)
{
	pthread_t threads[4];

	for (uintptr_t i = 0; i < 4; i++)
		must(!pthread_create(&threads[i], NULL, churn,
				     (void *)(i + 1)));
	for (uintptr_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

/* What another malloc made still goes home to it. */
static void role_foreign(void)
{
	void *(*libc_malloc)(size_t) =
		(void *(*)(size_t))dlsym(RTLD_DEFAULT, "__libc_malloc");
	void *p;

	for (size_t n = 1; libc_malloc && n < MIB; n += 1 + n / 3) {
		p = libc_malloc(n);
		must(p);
		free(opaque(p));
	}
}

static void child_check(const char *role, const char *conf)
{
	child = (struct child){ .role = role, .conf = conf };
	child_run(&child);
	assert_true(child_succeeded(&child));
	assert_string_equal(child.err, "");
}

TEST(test_hardened)
{
	need_lane();
	child_check("blocks", "hardened=1");
	child_check("blocks", "hardened=1,checks=full");
	child_check("zero", "hardened=1");
	child_check("not-at-once", "hardened=1");
	child_check("order", "hardened=1");
	child_check("walls", "hardened=1");
	child_check("threads", "hardened=1");
	child_check("threads", "hardened=1,quarantine=64k");
	child_check("threads", "checks=full,quarantine=64k");
	child_check("threads", "hardened=1,guard=5,profile_interval=10000");
	child_check("foreign", "hardened=1");
}

static const struct role roles[] = {
	{ "blocks", role_blocks },
	{ "zero", role_zero },
	{ "not-at-once", role_not_at_once },
	{ "order", role_order },
	{ "walls", role_walls },
	{ "threads", role_threads },
	{ "foreign", role_foreign },
};

int main(int argc, char **argv)
{
	have_lane();
	if (argc > 1)
		return role_run(roles, argv[1]);
	return tests_run(NULL, NULL);
}
