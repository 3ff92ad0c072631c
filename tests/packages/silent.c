/* A program that calls no name of the library's, not even malloc: is it there?
 *
 * Linked with --as-needed, which drops a library that defines nothing that
 * the program names; its blocks come by way of libc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

int main(void)
{
	if (dlsym(RTLD_DEFAULT, "lanemalloc_version"))
		return 0;
	printf("the library was dropped\n");
	return 1;
}
