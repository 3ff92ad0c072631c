/* replay: runs inputs through a target, without a fuzzer
 *
 *	replay CORPUS.txt|FILE...
 *
 * A corpus has an input on each line (corpus.py says how it is written); any
 * other file is one input. A finding aborts. Prints how many inputs ran; none
 * is an error. Linked against libFuzzer the entry point below is all there is.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
static uint8_t data[SIZE_MOST];
static char line[2 * SIZE_MOST + 2];

static _Noreturn void usage(const char *path, const char *why)
{
	fprintf(stderr, "replay: %s: %s\n", path, why);
	exit(2);
}

static void run_input(const char *path, unsigned number, size_t size)
{
	nr_inputs++;
	if (getenv("FUZZ_VERBOSE"))
		fprintf(stderr, "%s:%u\n", path, number);
	target_run(data, size);
}

/* The bytes of a line, in data; false: it is no input. */
static bool decode(size_t *size)
{
	size_t length = strcspn(line, "\n"), i;
	unsigned byte;
	int end;

	line[length] = '\0';
	if (line[0] == '\'') {
		*size = length - 1;
		memcpy(data, line + 1, *size);
		return length <= SIZE_MOST;
	}
	for (i = 0; i < length; i += 2) {
		if (sscanf(line + i, "%2x%n", &byte, &end) != 1 || end != 2)
			return false;
		data[i / 2] = (uint8_t)byte;
	}
	*size = length / 2;
	return length;
}

static void run_corpus(const char *path, FILE *in)
{
	unsigned number;
	size_t size;

	for (number = 1; fgets(line, sizeof(line), in); number++) {
		if (!decode(&size))
			usage(path, "a line is no input");
		run_input(path, number, size);
	}
}

static void run_path(const char *path)
{
	FILE *in = fopen(path, "rb");
	const char *suffix = strrchr(path, '.');

	if (!in)
		usage(path, strerror(errno));
	if (suffix && !strcmp(suffix, ".txt"))
		run_corpus(path, in);
	else
		run_input(path, 1, fread(data, 1, sizeof(data), in));
	fclose(in);
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		run_path(argv[i]);
	if (!nr_inputs)
		usage("no inputs", "usage: replay CORPUS.txt|FILE...");
	printf("%u inputs\n", nr_inputs);
	return 0;
}

#endif
