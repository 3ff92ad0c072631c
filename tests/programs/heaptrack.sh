#!/bin/bash
# packages: heaptrack gcc libc6-dev
# limit: 60
# quick
#
# heaptrack beside the library: it stands before it, counts every call, and
# the program's result is right.
. "$(dirname "$0")/../lib.sh"
begin

cat >prog.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *work(void *arg)
{
	long sum = 0;

	for (long i = 0; i < 5000; i++) {
		char *p = malloc(i % 700 + 1);

		memset(p, (int)i, i % 700 + 1);
		p = realloc(p, i % 1300 + 1);
		sum += (unsigned char)p[0] == (unsigned char)i;
		free(p);
	}
	*(long *)arg = sum;
	return NULL;
}

int main(void)
{
	pthread_t threads[8];
	long sums[8], sum = 0;
	char *leak = malloc(54321);

	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, work, &sums[i]);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		sum += sums[i];
	}
	printf("sum %ld %d\n", sum, leak != NULL);
	return 0;
}
C

must compile gcc -O1 -g -fno-builtin -pthread prog.c -o prog
must_under run heaptrack -o "$work/data/trace" ./prog
grep -q '^sum 40000 1$' log/run || fail "the program's result is wrong"
trace=$(compgen -G 'data/trace*') || fail "no trace was written"
must print heaptrack_print -f "$trace"
calls=$(sed -n 's/^calls to allocation functions: \([0-9]*\).*/\1/p' log/print)
[ "${calls:-0}" -ge 80000 ] || fail "only ${calls:-no} calls of 80000 seen"
grep -q 'total memory leaked' log/print || fail "no word about leaks"
ok "result right, $calls calls recorded"
