/* modes: all no-qemu */
/* timeout: 240 */
/* lanemalloc_check() with checks=full beside threads that allocate and free:
 * what is right is no damage, what is inaccessible no fault */
#include "expect.h"

#include "lanemalloc.h"

#define NR_THREADS 2
#define NR_CHECKS 40
#define NR_BLOCKS 16

static struct child child;
static _Atomic(bool) is_over;

static size_t any_size(uint64_t *state)
{
	uint64_t n = random_next(state);

	return n % 6 ? 60000 + n / 8 % 400000 : 100 + n / 8 % 30000;
}

static void *churn(void *arg)
{
	uint64_t state = (uintptr_t)arg;
	char *kept[NR_BLOCKS] = { 0 };

	while (!is_over) {
		unsigned at = (unsigned)(random_next(&state) % NR_BLOCKS);

		free(kept[at]);
		kept[at] = malloc(any_size(&state));
		must(kept[at]);
		memset(kept[at], 1, 50);
	}
	for (unsigned i = 0; i < NR_BLOCKS; i++)
		free(kept[i]);
	return NULL;
}

static void role_threads(void)
{
	void (*check)(void) =
		(void (*)(void))dlsym(RTLD_DEFAULT, "lanemalloc_check");
	pthread_t threads[NR_THREADS];

	must(check);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		must(!pthread_create(&threads[i], NULL, churn,
				     (void *)(i + 1)));
	for (unsigned i = 0; i < NR_CHECKS; i++)
		check();
	is_over = true;
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void child_check(const char *conf)
{
	child = (struct child){ .role = "threads", .conf = conf };
	child_run(&child);
	assert_true(child_succeeded(&child));
	assert_string_equal(child.err, "");
}

TEST(test_others_go_on)
{
	need_lane();
	child_check("checks=full");
	child_check("checks=full,large_guard=all,quarantine=1m");
	child_check("checks=full,check_stacks=0,quarantine=64k");
}

static const struct role roles[] = {
	{ "threads", role_threads },
};

int main(int argc, char **argv)
{
	have_lane();
	if (argc > 1)
		return role_run(roles, argv[1]);
	return tests_run(NULL, NULL);
}
