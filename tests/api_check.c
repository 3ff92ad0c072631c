/* modes: all no-qemu */
/* timeout: 240 */
/* lanemalloc_check() with checks=full beside threads that allocate and free:
 * what is right is no damage, what is inaccessible no fault */
#include "expect.h"

#define NR_THREADS 2
#define NR_CHECKS 40

static _Atomic(bool) is_over;

static void *churn(void *arg)
{
	while (!is_over)
		blocks_churn((uintptr_t)arg, 500, 400000);
	return NULL;
}

TEST_ROLE(threads, "checks=full", "checks=full,large_guard=all,quarantine=1m",
	  "checks=full,check_stacks=0,quarantine=64k")
{
	void (*check)(void) =
		(void (*)(void))dlsym(RTLD_DEFAULT, "lanemalloc_check");
	pthread_t threads[NR_THREADS];

	must(check);
	threads_start(threads, NR_THREADS, churn);
	for (unsigned i = 0; i < NR_CHECKS; i++)
		check();
	is_over = true;
	threads_join(threads, NR_THREADS);
}

API_MAIN(NULL, NULL)
