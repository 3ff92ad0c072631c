/* Which library serves a program, where two versions lie side by side?
 *
 *	upgrade VERSION [OTHER]
 *
 * Linked with one of them; VERSION is the one that must serve, wholly and
 * alone. OTHER is the path of the other one: it is loaded besides, into a
 * namespace of its own, and both serve, each its own blocks.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <lanemalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 100000
#define NR_BLOCKS 500

struct copy {
	void *(*malloc)(size_t);
	void (*free)(void *);
	const char *(*version)(void);
	size_t (*stats)(struct lanemalloc_stats *, size_t);
};

static int nr_wrong;

static void check(int right, const char *what)
{
	if (right)
		return;
	printf("not so: %s\n", what);
	nr_wrong++;
}

/* Copies of the library in this process: the first pages of each are mapped
 * once. */
static int nr_mapped(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[4096];
	int nr = 0;

	while (f && fgets(line, sizeof(line), f))
		nr += strstr(line, " 00000000 ") &&
		      strstr(line, "/liblanemalloc.so");
	if (f)
		fclose(f);
	return nr;
}

static unsigned long long live_size(const struct copy *copy)
{
	struct lanemalloc_stats stats;

	copy->stats(&stats, sizeof(stats));
	return stats.live_size;
}

/* The copy has the blocks, and gets all of them back. */
static void serves(const struct copy *copy)
{
	static char *blocks[NR_BLOCKS];
	unsigned long long before = live_size(copy);

	for (int i = 0; i < NR_BLOCKS; i++) {
		blocks[i] = copy->malloc(SIZE + i);
		memset(blocks[i], i, SIZE + i);
	}
	check(live_size(copy) >= before + (size_t)NR_BLOCKS * SIZE,
	      "the blocks are the library's");
	for (int i = 0; i < NR_BLOCKS; i++) {
		check(blocks[i][SIZE / 2] == (char)i, "a block is as written");
		copy->free(blocks[i]);
	}
	check(live_size(copy) < before + SIZE, "the blocks are back");
}

static struct copy other_copy(const char *path)
{
	void *handle = dlmopen(LM_ID_NEWLM, path, RTLD_NOW);
	struct copy copy = { 0 };

	if (!handle) {
		printf("%s\n", dlerror());
		exit(1);
	}
	*(void **)&copy.malloc = dlsym(handle, "malloc");
	*(void **)&copy.free = dlsym(handle, "free");
	*(void **)&copy.version = dlsym(handle, "lanemalloc_version");
	*(void **)&copy.stats = dlsym(handle, "lanemalloc_stats");
	return copy;
}

int main(int argc, char **argv)
{
	struct copy own = { malloc, free, lanemalloc_version,
			    lanemalloc_stats };
	struct copy other;

	check(argc > 1 && !strcmp(own.version(), argv[1]), "the version");
	check(nr_mapped() == 1, "one copy of the library");
	serves(&own);
	if (argc > 2) {
		other = other_copy(argv[2]);
		check(strcmp(other.version(), argv[1]) != 0, "another version");
		check(nr_mapped() == 2, "two copies of the library");
		serves(&other);
		serves(&own);
	}
	if (nr_wrong)
		printf("%s of %s, wanted %s\n", own.version(), argv[0],
		       argc > 1 ? argv[1] : "");
	return nr_wrong != 0;
}
