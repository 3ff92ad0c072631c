/* load: blocks of many sizes from many places, in known proportions
 *
 * Twelve functions, each with its own size and number of blocks; half of the
 * blocks stay. For stress/profile/accuracy.py, and to be looked at with pprof.
 */
#include <cstdlib>
#include <vector>

static std::vector<void *> kept;

template <int size, int nr> __attribute__((noinline)) void place()
{
	for (int i = 0; i < nr; i++) {
		void *block = malloc(size);

		__asm__ volatile("" : "+r"(block));
		if (i % 2)
			kept.push_back(block);
		else
			free(block);
	}
}

int main()
{
	kept.reserve(4000000);
	for (int i = 0; i < 10; i++) {
		place<16, 100000>();
		place<48, 60000>();
		place<100, 40000>();
		place<250, 20000>();
		place<640, 10000>();
		place<1500, 5000>();
		place<4000, 2000>();
		place<9000, 1000>();
		place<30000, 400>();
		place<70000, 200>();
		place<300000, 60>();
		place<2000000, 10>();
	}
}
