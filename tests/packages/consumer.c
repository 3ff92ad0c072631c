/* A program of somebody else's: runs if its malloc is lanemalloc. */
#include <lanemalloc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE ((size_t)5 << 20)

int main(int argc, char **argv)
{
	struct lanemalloc_stats stats;
	char *block = malloc(SIZE);
	char version[32];

	(void)argc;
	(void)argv;
	snprintf(version, sizeof(version), "%d.%d.%d",
		 LANEMALLOC_VERSION_MAJOR, LANEMALLOC_VERSION_MINOR,
		 LANEMALLOC_VERSION_PATCH);
	if (strcmp(version, lanemalloc_version()) != 0) {
		printf("header %s, library %s\n", version,
		       lanemalloc_version());
		return 1;
	}
	if (!block)
		return 1;
	memset(block, 1, SIZE);
	lanemalloc_stats(&stats, sizeof(stats));
	if (stats.live_size < SIZE) {
		printf("malloc is not the library's\n");
		return 1;
	}
	free(block);
	printf("%s\n", version);
	return 0;
}
