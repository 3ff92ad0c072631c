/* A library whose constructor and destructor allocate; for api_early.c */
#include "expect.h"

static char *blocks[300];

__attribute__((constructor)) static void early_start(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i] = i % 3 == 0   ? malloc(i * 50)
			    : i % 3 == 1 ? calloc(i, 50)
					 : realloc(malloc(i), i * 50);
		must(blocks[i] && is_aligned(blocks[i], 16));
		pattern_fill(blocks[i], i * 50, i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i += 2) {
		free(blocks[i]);
		blocks[i] = NULL;
	}
	must(write(1, "constructor\n", 12) == 12);
}

__attribute__((destructor)) static void early_end(void)
{
	for (size_t i = 1; i < ARRAY_SIZE(blocks); i += 2) {
		must(pattern_holds(blocks[i], i * 50, i));
		free(blocks[i]);
		free(malloc(i * 77));
	}
	must(write(1, "destructor\n", 11) == 11);
}
