/* replay: runs files through a target, without a fuzzer
 *
 *	replay FILE|DIRECTORY...
 *
 * A finding aborts. Prints how many inputs ran; none is an error. Linked
 * against libFuzzer the entry point below is all there is.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "target.h"

#define SIZE_MOST 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	target_run(data, size);
	return 0;
}

#ifndef FUZZ_LIBFUZZER

static unsigned nr_inputs;

static _Noreturn void usage(const char *path)
{
	fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
	exit(2);
}

static void run_file(const char *path)
{
	static uint8_t data[SIZE_MOST];
	FILE *in = fopen(path, "rb");
	size_t size;

	if (!in)
		usage(path);
	size = fread(data, 1, sizeof(data), in);
	fclose(in);
	if (getenv("FUZZ_VERBOSE"))
		fprintf(stderr, "%s\n", path);
	target_run(data, size);
	nr_inputs++;
}

static void run_path(const char *path)
{
	struct dirent **names;
	struct stat st;
	char name[4096];
	int i, n;

	if (stat(path, &st))
		usage(path);
	if (!S_ISDIR(st.st_mode)) {
		run_file(path);
		return;
	}
	n = scandir(path, &names, NULL, alphasort);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			run_file(name);
	}
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		run_path(argv[i]);
	if (!nr_inputs) {
		fprintf(stderr, "replay: no inputs; "
				"usage: replay FILE|DIRECTORY...\n");
		return 2;
	}
	printf("%u inputs\n", nr_inputs);
	return 0;
}

#endif
