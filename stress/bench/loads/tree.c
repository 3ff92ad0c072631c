/* tree: binary trees, built from the root and torn down from the leaves
 *
 * One tree lives from beginning to end while short-lived ones of various
 * depths come and go.
 */
#include "load.h"

#include <stdlib.h>

#define LONG_LIVED 12
#define SHALLOWEST 4
#define DEEPEST 14

/* A node's number is 1 at the root, 2n and 2n + 1 below n. */
struct node {
	struct node *left, *right;
	uint64_t number;
	uint64_t data[2];
};

static struct node *build(struct worker *worker, unsigned depth,
			  uint64_t number)
{
	struct node *node;

	if (!worker->operations || !depth)
		return NULL;
	worker->operations--;
	node = malloc(sizeof(*node));
	load_must(node, sizeof(*node));
	node->number = number;
	node->data[0] = node->data[1] = ~number;
	node->left = build(worker, depth - 1, number * 2);
	node->right = build(worker, depth - 1, number * 2 + 1);
	return node;
}

static void tear_down(const struct run *run, struct node *node,
		      uint64_t number)
{
	if (!node)
		return;
	if (run->verify && (node->number != number ||
			    node->data[0] != ~number ||
			    node->data[1] != ~number))
		load_die("node %llu of a tree has wrong contents",
			 (unsigned long long)number);
	tear_down(run, node->left, number * 2);
	tear_down(run, node->right, number * 2 + 1);
	node->number = 0;
	free(node);
}

static void tree_body(struct worker *worker)
{
	struct node *long_lived = build(worker, LONG_LIVED, 1);
	unsigned depth = SHALLOWEST;

	while (worker->operations) {
		tear_down(worker->run, build(worker, depth, 1), 1);
		depth = depth < DEEPEST ? depth + 2 : SHALLOWEST;
	}
	tear_down(worker->run, long_lived, 1);
}

LOAD(tree) = {
	.name = "tree",
	.about = "binary trees of 40 B nodes, 4 to 14 levels, one long-lived "
		 "(Boehm's GCBench, after Ellis and Kovac)",
	.parallel = true, .operations = 12000000, .body = tree_body
};
