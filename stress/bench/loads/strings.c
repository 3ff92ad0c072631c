/* strings: short copies of text in a hash table
 *
 * A text comes from a number, so that the table's number tells what the copy
 * must say. The hash tells its place; whoever is there is erased, which is an
 * order unrelated to that of their arrival.
 */
#include "load.h"

#include <stdlib.h>
#include <string.h>

#define PLACES 8192
#define TEXT_LEAST 7
#define TEXT_MOST 63

struct place {
	char *copy;
	uint64_t number;
};

/* Writes the text and its 0; returns its hash. */
static uint64_t text_make(char *text, uint64_t number)
{
	size_t length = TEXT_LEAST +
		(number >> 32) % (TEXT_MOST - TEXT_LEAST + 1);
	uint64_t hash = number;

	for (size_t i = 0; i < length; i += 8) {
		uint64_t letters;

		hash = (hash ^ i) * 0x9e3779b97f4a7c15;
		letters = (hash & 0x0f0f0f0f0f0f0f0f) + 0x6161616161616161;
		memcpy(text + i, &letters, sizeof(letters));
	}
	text[length] = 0;
	return hash >> 32;
}

static void place_erase(const struct run *run, struct place *place)
{
	char text[TEXT_MOST + 9];

	if (!place->copy)
		return;
	if (run->verify) {
		text_make(text, place->number);
		if (strcmp(text, place->copy))
			load_die("a copy is '%.63s', not '%s'", place->copy,
				 text);
		place->copy[0] = 0;
	}
	free(place->copy);
	place->copy = NULL;
}

static void place_put(struct place *place, const char *text, uint64_t number)
{
	place->copy = strdup(text);
	load_must(place->copy, strlen(text) + 1);
	place->number = number;
}

static void strings_body(struct worker *worker)
{
	struct place *places = load_table(PLACES * sizeof(*places));

	for (unsigned long i = 0; i < worker->operations; i++) {
		char text[TEXT_MOST + 9];
		uint64_t number = load_random(worker);
		struct place *place = &places[text_make(text, number) % PLACES];

		place_erase(worker->run, place);
		place_put(place, text, number);
	}
	for (unsigned i = 0; i < PLACES; i++)
		place_erase(worker->run, &places[i]);
	load_table_free(places, PLACES * sizeof(*places));
}

LOAD(strings) = {
	.name = "strings",
	.about = "strdup of 8 to 64 B into a hash table, erased in any order "
		 "(keys of caches: Atikoglu et al., SIGMETRICS 2012)",
	.parallel = true, .operations = 5000000, .body = strings_body
};
