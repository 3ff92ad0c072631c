/* A library that allocates and frees for its callers; for api_dlopen.c */
#include "expect.h"

void *blocks_malloc(size_t size);
void *blocks_realloc(void *block, size_t size);
char *blocks_strdup(const char *text);
void blocks_free(void *block);

void *blocks_malloc(size_t size)
{
	return malloc(size);
}

void *blocks_realloc(void *block, size_t size)
{
	return realloc(block, size);
}

char *blocks_strdup(const char *text)
{
	return strdup(text);
}

void blocks_free(void *block)
{
	free(block);
}
