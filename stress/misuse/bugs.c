/* bugs: five memory bugs that were found in programs, as small as they can be
 *
 *	bugs KIND	works for a while, with the bug among it, exits with 0
 *	bugs --list	the kinds, "name: what it is" on each line
 *
 * Written anew from the public descriptions; the work around them is what
 * servers do: blocks of mixed sizes that live for a while. One round in ten has
 * the bug, and a program that survives it does not notice.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../harness/random.h"

#define NR_ROUNDS 20000
#define NR_BUSY 512

static char *busy[NR_BUSY];
static uint64_t state;

static void *opaque(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

static void work(void)
{
	for (unsigned i = 0; i < 20; i++) {
		unsigned at = (unsigned)(random_next(&state) % NR_BUSY);
		size_t size = 16 + random_next(&state) % 600;

		free(busy[at]);
		busy[at] = malloc(size);
		memset(busy[at], 0x11, size);
	}
}

/* A command line is joined, "\x" becoming "x"; where a backslash is the last
 * byte its NUL is skipped, and what lies behind is copied as well. */
static void unescape(void)
{
	static const char args[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\\0"
				   "ENVIRONMENT=behind the argument";
	char *to = malloc(strlen(args) + 1), *out = opaque(to);

	for (const char *from = args; *from; from++) {
		if (*from == '\\')
			from++;
		*out++ = *from;
	}
	*out = '\0';
	free(to);
}

/* The size of a buffer counts all of its parts but one pointer. */
static void short_by_a_pointer(void)
{
	size_t name = 24 + 8 * (random_next(&state) % 8);
	size_t need = 16 + 2 * sizeof(void *) + name + 1;
	char *buffer = malloc(need - sizeof(void *));

	memset(opaque(buffer), 0x41, need);
	free(buffer);
}

/* A message buffer grows and may move; who fills it keeps the old address. */
static void stale_after_growth(void)
{
	char *buffer = malloc(160), *at = opaque(buffer + 32);

	buffer = realloc(buffer, 4000);
	memset(at, 0x41, 32);
	work();
	free(buffer);
}

/* A length of zero from the peer: realloc frees and returns NULL, which is
 * taken for no memory, and the block is freed again. */
static void realloc_of_nothing(void)
{
	char *buffer = malloc(120), *grown;

	grown = realloc(opaque(buffer), (size_t)opaque(NULL));
	if (!grown)
		free(opaque(buffer));
	free(grown);
}

/* A table of references still names an object that was destroyed while it was
 * read; the next reference writes to it. */
static void table_of_references(void)
{
	uint64_t *table[4];

	for (unsigned i = 0; i < 4; i++)
		table[i] = malloc(48 + 16 * i);
	free(table[2]);
	work();
	*(volatile uint64_t *)opaque(table[2]) = 1;
	free(table[0]);
	free(table[1]);
	free(table[3]);
}

static const struct kind {
	const char *name;
	void (*run)(void);
	const char *what;
} kinds[] = {
	{ "unescape", unescape,
	  "sudo, CVE-2021-3156: behind a last backslash the copy goes on" },
	{ "short-by-a-pointer", short_by_a_pointer,
	  "glibc, CVE-2015-0235: a size without one of its parts" },
	{ "stale-after-growth", stale_after_growth,
	  "OpenSSL, CVE-2016-6309: a pointer kept over realloc" },
	{ "realloc-of-nothing", realloc_of_nothing,
	  "curl, CVE-2016-8619: realloc to no bytes, then free" },
	{ "table-of-references", table_of_references,
	  "PHP, CVE-2015-6834: an object is freed, its reference stays" },
};

#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

int main(int argc, char **argv)
{
	for (unsigned i = 0; argc > 1 && i < NR_KINDS; i++) {
		if (!strcmp(argv[1], "--list"))
			printf("%s: %s\n", kinds[i].name, kinds[i].what);
		if (strcmp(argv[1], kinds[i].name))
			continue;
		state = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
		for (unsigned round = 1; round < NR_ROUNDS; round++) {
			work();
			if (round % 10 == 0)
				kinds[i].run();
		}
		return 0;
	}
	return argc > 1 && !strcmp(argv[1], "--list") ? 0 : 2;
}
