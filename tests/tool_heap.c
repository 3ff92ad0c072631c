/* A program for tests/tool_*.py to look at; see there. It needs no threads but
 * those it makes.
 *
 * Usage: tool_heap still BLOCKS	BLOCKS blocks of mixed sizes, a third of
 *					them freed; then it says what the
 *					library counts, as JSON, and waits
 *	  tool_heap half BLOCKS		the same, with lanes that were being
 *					opened by a thread that died
 *	  tool_heap prometheus		what the library counts, as Prometheus
 *					reads it, and an empty line
 *	  tool_heap run THREADS		threads that allocate and free; each
 *					holds from 4 to 8 MiB. Says "ready"
 *	  tool_heap leak		functions that allocate at a known pace,
 *					and ones that free at once, by another
 *					thread, or what grew by realloc
 *	  tool_heap pins BLOCKS		BLOCKS of 1 KiB, of which it frees all
 *					but one in 64; then it waits
 *	  tool_heap hit			a thread that the caches serve alone
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lanemalloc.h"
#include "lanemalloc_view.h"

#define HELD_SIZE ((size_t)4 << 20)

extern size_t lanemalloc_stats_json(char *buf, size_t size)
	__attribute__((weak));
extern size_t lanemalloc_stats_prometheus(char *buf, size_t size)
	__attribute__((weak));
extern const struct lanemalloc_view lanemalloc_view __attribute__((weak));
extern size_t lanemalloc_purge(void) __attribute__((weak));

static void say(const char *text)
{
	printf("%s\n", text);
	fflush(stdout);
}

static void still(unsigned long nr)
{
	static char text[8192];
	char *line = malloc(4096);
	void **blocks = calloc(nr, sizeof(*blocks));

	setvbuf(stdout, line, _IOFBF, 4096);
	for (unsigned long i = 0; i < nr; i++) {
		size_t size = 16 + i * 7919 % 9000;

		if (i % 500 == 0)
			size *= 200;
		blocks[i] = malloc(size);
		memset(blocks[i], 1, size < 64 ? size : 64);
	}
	for (unsigned long i = 0; i < nr; i++)
		if (i % 3 == 0)
			free(blocks[i]);
	lanemalloc_stats_json(text, sizeof(text));
	say(text);
	for (;;)
		pause();
}

static char *at(uint64_t address)
{
	return (char *)(uintptr_t)address;
}

/* Gives closed lanes an end, as percpu.h's lane_move_end() does first. */
static void half(unsigned long nr)
{
	const struct lanemalloc_view *v = &lanemalloc_view;
	uint64_t areas = 0, id, row, *end;
	uint16_t lane;

	free(malloc(16));
	for (id = 0; id < v->nr_caches && !areas; id++)
		areas = *(uint64_t *)(void *)at(v->caches +
						id * v->cache_stride +
						v->cache_areas_at);
	for (row = 1; row < v->nr_classes && areas; row++) {
		memcpy(&lane, at(v->classes + row * v->class_stride +
				 v->class_lane_at), sizeof(lane));
		end = (void *)at(areas + 8 * lane + v->lane_end_at);
		if (!*end)
			*end = areas + 65536;
	}
	still(nr);
}

static void prometheus(void)
{
	static char text[1 << 18];

	lanemalloc_stats_prometheus(text, sizeof(text));
	say(text);
	for (;;)
		pause();
}

static void *churn(void *arg)
{
	size_t nr = HELD_SIZE / 512, held = 0;
	void **blocks = calloc(nr, sizeof(*blocks));
	uint32_t x = (uint32_t)(uintptr_t)arg * 2654435761u + 1;

	/* Blocks of 512 to 1024 bytes, all slots in use from the first turn
	 * on: between HELD_SIZE and twice as much. */
	for (size_t i = 0;; i = (i + 1) % nr) {
		x = x * 1664525 + 1013904223;
		free(blocks[(x >> 8) % nr]);
		blocks[(x >> 8) % nr] = malloc(512 + (x >> 4) % 512);
		if (!blocks[i])
			blocks[i] = malloc(512);
		if (held < nr && ++held == nr)
			say("ready");
	}
	return NULL;
}

static void *block;

/* A function of that name, which keeps a block of that size. */
#define KEEPS(name, size)                                   \
	__attribute__((noinline)) void name(void)           \
	{                                                   \
		*(void *volatile *)&block = malloc(size);   \
	}

KEEPS(keeps_much, 10000)
KEEPS(keeps_little, 100)
/* Its class has 81920 bytes. */
KEEPS(keeps_badly, 66000)
/* One among many of its size that are freed at once. */
KEEPS(keeps_one, 3000)

__attribute__((noinline)) void frees_at_once(void)
{
	*(void *volatile *)&block = malloc(3000);
	free(block);
}

__attribute__((noinline)) void grows_by_steps(void)
{
	void *volatile grown = NULL;

	for (size_t size = 500; size < 20000; size += 500)
		grown = realloc(grown, size);
	free(grown);
}

static int passed[2];

__attribute__((noinline)) void passes_on(void)
{
	void *volatile given = malloc(5000);

	if (write(passed[1], (void *)&given, sizeof(given)) < 0)
		exit(1);
}

static void *frees_others(void *arg)
{
	void *given;

	(void)arg;
	while (read(passed[0], &given, sizeof(given)) == sizeof(given))
		free(given);
	return NULL;
}

static void leak(void)
{
	pthread_t thread;

	if (pipe(passed) || pthread_create(&thread, NULL, frees_others, NULL))
		exit(1);
	say("ready");
	for (;;) {
		for (int i = 0; i < 100; i++) {
			keeps_much();
			keeps_little();
			frees_at_once();
			passes_on();
		}
		keeps_badly();
		keeps_one();
		grows_by_steps();
		usleep(10000);
	}
}

static void *frees(void *pointer)
{
	free(pointer);
	return NULL;
}

static void pins(unsigned long nr)
{
	void **blocks = calloc(nr, sizeof(*blocks));
	pthread_t thread;

	for (unsigned long i = 0; i < nr; i++)
		blocks[i] = malloc(1024);
	grows_by_steps();
	for (unsigned long i = 0; i < nr; i++)
		if (i % 64)
			free(blocks[i]);
	for (unsigned long i = 0; i < nr; i += 128) {
		pthread_create(&thread, NULL, frees, blocks[i]);
		pthread_join(thread, NULL);
	}
	lanemalloc_purge();
	say("ready");
	for (;;)
		pause();
}

static void hit(void)
{
	say("ready");
	for (;;) {
		*(void *volatile *)&block = malloc(1000);
		free(block);
	}
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
	pthread_t thread;

	if (argc < 2)
		return 2;
	if (!strcmp(argv[1], "still"))
		still(n);
	else if (!strcmp(argv[1], "half"))
		half(n);
	else if (!strcmp(argv[1], "prometheus"))
		prometheus();
	else if (!strcmp(argv[1], "leak"))
		leak();
	else if (!strcmp(argv[1], "pins"))
		pins(n);
	else if (!strcmp(argv[1], "hit"))
		hit();
	for (uintptr_t i = 0; i < n; i++)
		pthread_create(&thread, NULL, churn, (void *)i);
	for (;;)
		pause();
}
