/* collatz: Collatz sequences of 1, 2, 3, ... as lists and as vectors
 *
 * Lengths jump about from one start to the next, as those of real data do.
 * Worker i takes the starts i + 1, i + 1 + threads, ...; a worker whose
 * operations are spent ends its sequence there.
 */
#include "load.h"

#include <stdlib.h>

static uint64_t step(uint64_t value)
{
	return value % 2 ? value * 3 + 1 : value / 2;
}

/* ---- a list, the newest value first ---- */

struct node {
	struct node *next;
	uint64_t value;
};

static struct node *list_build(struct worker *worker, uint64_t start)
{
	struct node *head = NULL;
	uint64_t value = start;

	for (; worker->operations; value = step(value)) {
		struct node *node = malloc(sizeof(*node));

		load_must(node, sizeof(*node));
		node->next = head;
		node->value = value;
		head = node;
		worker->operations--;
		if (value == 1)
			break;
	}
	return head;
}

static void list_free(const struct run *run, struct node *node, uint64_t start)
{
	while (node) {
		struct node *next = node->next;
		uint64_t value = node->value;

		if (run->verify && value != (next ? step(next->value) : start))
			load_die("a node of a list has a wrong value");
		node->value = 0;
		free(node);
		node = next;
	}
}

static void list_body(struct worker *worker)
{
	const struct run *run = worker->run;

	for (uint64_t start = worker->index + 1; worker->operations;
	     start += run->threads)
		list_free(run, list_build(worker, start), start);
}

/* ---- a vector that doubles ---- */

/* Each is the complement of a value: its last byte is none that is fresh. */
struct vector {
	uint64_t *values;
	size_t nr, room;
};

static bool vector_push(struct worker *worker, struct vector *vector,
			uint64_t value)
{
	if (vector->nr == vector->room) {
		if (!worker->operations)
			return false;
		worker->operations--;
		vector->room = vector->room ? vector->room * 2 : 1;
		vector->values = realloc(vector->values, vector->room *
					 sizeof(*vector->values));
		load_must(vector->values, vector->room);
	}
	vector->values[vector->nr++] = ~value;
	return true;
}

static void vector_free(const struct run *run, struct vector *vector,
			uint64_t value)
{
	for (size_t i = 0; run->verify && i < vector->nr; i++) {
		if (vector->values[i] != ~value)
			load_die("value %zu of a vector is wrong", i);
		vector->values[i] = 0;
		value = step(value);
	}
	free(vector->values);
}

static void vector_body(struct worker *worker)
{
	const struct run *run = worker->run;

	for (uint64_t start = worker->index + 1; worker->operations;
	     start += run->threads) {
		struct vector vector = { NULL, 0, 0 };
		uint64_t value = start;

		while (vector_push(worker, &vector, value) && value != 1)
			value = step(value);
		vector_free(run, &vector, start);
	}
}

LOAD(collatz_list) = {
	.name = "collatz-list",
	.about = "Collatz sequences as lists of 16 B nodes, built and freed "
		 "(a sequence of unlike lengths: Collatz's problem)",
	.parallel = true, .operations = 20000000, .body = list_body
};

LOAD(collatz_vector) = {
	.name = "collatz-vector",
	.about = "Collatz sequences in vectors that realloc doubles "
		 "(the same; doubling tables: Cormen et al., 17.4)",
	.parallel = true, .operations = 8000000, .body = vector_body
};
