/* A program that names nothing of the library's own: is it there at all?
 *
 * Linked with --as-needed, which drops a library whose names nobody uses
 * (malloc is libc's, too).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	void *block = malloc(100);

	free(block);
	if (!block || !dlsym(RTLD_DEFAULT, "lanemalloc_version")) {
		printf("the library was dropped\n");
		return 1;
	}
	return 0;
}
