#!/bin/bash
# packages: valgrind gcc libc6-dev libc6-dbg
# limit: 60
# quick
#
# valgrind knows no rseq: the library serves a program under it all the same,
# and with --soname-synonyms memcheck takes malloc over and finds a bad read
# and a leak.
. "$(dirname "$0")/../lib.sh"
begin

cat >prog.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A zeroed block of which every byte then is c. */
static char *fill(size_t size, char c)
{
	char *p = calloc(1, size);

	for (size_t i = 0; i < size; i++)
		if (p[i])
			exit(3);
	memset(p, c, size);
	return p;
}

static void empty(char *p, size_t size, char c)
{
	for (size_t i = 0; p && i < size; i++)
		if (p[i] != c)
			exit(3);
	free(p);
}

static void *work(void *arg)
{
	char *blocks[64] = { 0 };
	size_t sizes[64];
	unsigned seed = (unsigned)(long)arg;

	for (int i = 0; i < 4000; i++) {
		int slot = (seed = seed * 1103515245 + 12345) >> 16 & 63;

		empty(blocks[slot], sizes[slot], (char)slot);
		sizes[slot] = (seed >> 8 & 1023) + 1;
		blocks[slot] = fill(sizes[slot], (char)slot);
	}
	for (int i = 0; i < 64; i++)
		empty(blocks[i], sizes[i], (char)i);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[4];
	char *volatile bad = malloc(100);

	for (long i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	if (argc > 1) {
		if (bad[100] == 'x')
			puts("x");
		bad = malloc(3333);
	} else {
		free(bad);
	}
	puts("done");
	return argc > 1 && !argv[1][0];
}
C

must compile gcc -O1 -g -fno-builtin -pthread prog.c -o prog
must_under none valgrind --tool=none --error-exitcode=9 ./prog
grep -q '^done$' log/none || fail "no result under --tool=none"
must_under trace valgrind --tool=none --trace-redir=yes ./prog
[ -z "$preload" ] || grep -q -F "$preload" log/trace ||
	fail "the library was not loaded"
must_under own valgrind --error-exitcode=9 ./prog
grep -q '^done$' log/own || fail "no result under memcheck"
must_under taken valgrind --soname-synonyms='somalloc=*malloc*' \
	--leak-check=full --show-leak-kinds=all ./prog bad
grep -q '^done$' log/taken || fail "no result with somalloc"
grep -q 'Invalid read of size 1' log/taken || fail "the bad read is not seen"
grep -q '3,333 bytes in 1 blocks' log/taken || fail "the leak is not seen"
ok "right results; memcheck with somalloc sees the bad read and the leak"
