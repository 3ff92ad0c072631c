/* metadata: the share of resident memory that is the malloc's own
 *
 *	metadata [--mixed] [--mib N]
 *
 * 1 GiB in blocks of 64 bytes, or (--mixed) of random sizes 16..32768. From
 * lanemalloc_stats() where there is one; under any malloc, the RSS beyond
 * what the program asked for.
 */
#include "figure.h"
#include <dlfcn.h>

#include "../include/lanemalloc.h"

static size_t (*stats)(struct lanemalloc_stats *out, size_t size);

/* A list through the blocks, so that the program itself adds nothing. */
struct link {
	struct link *next;
};

static struct link *fill(size_t all, int mixed)
{
	struct link *first = NULL, *link;
	uint64_t random = 1;
	size_t size, done;

	for (done = 0; done < all; done += size) {
		size = mixed ? 16 + random_next(&random) % 32753 : 64;
		link = malloc(size);
		if (!link)
			figure_die("no memory");
		memset(link, 1, size);
		link->next = first;
		first = link;
	}
	return first;
}

static void report(size_t all, int mixed, double rss)
{
	struct lanemalloc_stats s = { 0 };
	double asked = (double)all / (double)MIB;

	printf("metadata: %.0f MiB of %s: RSS %.1f MiB beyond (%.2f %%)", asked,
	       mixed ? "16..32768 bytes" : "64 bytes", rss - asked,
	       (rss - asked) / asked * 100);
	if (!stats || !stats(&s, sizeof(s)) || !s.live_size)
		printf("; no lanemalloc_stats()\n");
	else
		printf("; metadata %.2f MiB = %.3f %% of the live %.1f MiB\n",
		       (double)s.metadata_size / (double)MIB,
		       (double)s.metadata_size / (double)s.live_size * 100,
		       (double)s.live_size / (double)MIB);
}

int main(int argc, char **argv)
{
	bool mixed = false;
	size_t mib = 1024, all;
	const struct option_row rows[] = {
		OPTION_SWITCH("mixed", &mixed, "random sizes, not 64 bytes"),
		OPTION_NUMBER("mib", &mib, 1, SIZE_MAX / MIB, "in all"),
	};
	struct link *list, *next;
	double before;

	options_read_rows(argc, argv, rows);
	all = mib * MIB;
	*(void **)&stats = dlsym(RTLD_DEFAULT, "lanemalloc_stats");
	before = figure_rss();
	list = fill(all, mixed);
	report(all, mixed, figure_rss() - before);
	for (; list; list = next) {
		next = list->next;
		free(list);
	}
	return 0;
}
