/* rcu-hash: a hash table whose replaced nodes one thread frees, later
 *
 * Every thread looks keys up and replaces nodes. A node that was replaced is
 * freed after a grace period by liburcu's call_rcu thread: all frees happen
 * there, in bulk, of blocks that all other threads allocated.
 *
 * Writers that are faster than that thread must wait for it, or the nodes
 * that are not yet free grow without bound: a writer takes a credit for each
 * NR_CREDIT nodes, which the call_rcu thread gives back when it freed as
 * many. No deadlock: while writers wait, the nodes of all credits taken are
 * on their way to be freed, but for a fraction of one credit of each writer
 * that has ended; and there are more credits than writers.
 */
#include <urcu/urcu-memb.h>
#include <urcu/rculfhash.h>

#include <semaphore.h>
#include <stdlib.h>

#include "load.h"

#define NR_KEYS 4096
#define NR_LOOKUPS 2	/* for each replacement */
#define NR_CREDIT 64
#define DATA_LOW 16
#define DATA_HIGH 240

struct node {
	struct cds_lfht_node link;
	struct rcu_head head;
	struct table *table;
	unsigned long key;
	size_t size;
	unsigned char data[];
};

struct table {
	const struct run *run;
	struct cds_lfht *hash;
	sem_t credits;
	unsigned long nr_freed;	/* written by the call_rcu thread alone */
};

static struct node *node_of(struct cds_lfht_node *link)
{
	return link ? caa_container_of(link, struct node, link) : NULL;
}

static unsigned long hash_of(unsigned long key)
{
	return key * 0x9e3779b97f4a7c15 >> 20;
}

static int matches(struct cds_lfht_node *link, const void *key)
{
	return node_of(link)->key == *(const unsigned long *)key;
}

static struct node *node_new(struct worker *worker, unsigned long key)
{
	size_t size = load_between(worker, DATA_LOW, DATA_HIGH);
	struct node *node = malloc(sizeof(*node) + size);

	load_must(node, sizeof(*node) + size);
	cds_lfht_node_init(&node->link);
	node->table = worker->shared;
	node->key = key;
	node->size = size;
	load_fill(worker->run, node->data, size);
	return node;
}

static void node_free(struct node *node)
{
	load_check(node->table->run, node->data, node->size);
	free(node);
}

static void free_later(struct rcu_head *head)
{
	struct node *node = caa_container_of(head, struct node, head);
	struct table *table = node->table;

	node_free(node);
	if (++table->nr_freed % NR_CREDIT == 0)
		sem_post(&table->credits);
}

static void replace(struct worker *worker, unsigned long key)
{
	struct table *table = worker->shared;
	struct node *node = node_new(worker, key), *old;

	urcu_memb_read_lock();
	old = node_of(cds_lfht_add_replace(table->hash, hash_of(key), matches,
					   &node->key, &node->link));
	urcu_memb_read_unlock();
	if (old)
		urcu_memb_call_rcu(&old->head, free_later);
}

static void look_up(struct worker *worker, unsigned long key)
{
	struct table *table = worker->shared;
	struct cds_lfht_iter iter;
	struct node *node;

	urcu_memb_read_lock();
	cds_lfht_lookup(table->hash, hash_of(key), matches, &key, &iter);
	node = node_of(cds_lfht_iter_get_node(&iter));
	if (!node || node->key != key)
		load_die("rcu-hash: key %lu is not there", key);
	*(volatile unsigned char *)&node->data[0];
	urcu_memb_read_unlock();
}

static void body(struct worker *worker)
{
	struct table *table = worker->shared;

	urcu_memb_register_thread();
	for (unsigned long i = 0; i < worker->operations; i++) {
		while (i % NR_CREDIT == 0 && sem_wait(&table->credits))
			;
		replace(worker, load_below(worker, NR_KEYS));
		for (unsigned n = 0; n < NR_LOOKUPS; n++)
			look_up(worker, load_below(worker, NR_KEYS));
	}
	urcu_memb_unregister_thread();
}

static void populate(const struct run *run, struct table *table)
{
	struct worker worker = load_worker(run, run->threads);

	worker.shared = table;
	for (unsigned long key = 0; key < NR_KEYS; key++)
		replace(&worker, key);
}

/* No other thread uses the table any more. */
static void table_empty(struct table *table)
{
	struct cds_lfht_iter iter;
	struct node *node;

	urcu_memb_read_lock();
	cds_lfht_for_each_entry(table->hash, &iter, node, link) {
		cds_lfht_del(table->hash, &node->link);
		urcu_memb_call_rcu(&node->head, free_later);
	}
	urcu_memb_read_unlock();
	urcu_memb_barrier();
}

static void rcu_hash_run(const struct run *run)
{
	struct table table = { .run = run };

	sem_init(&table.credits, 0, run->threads + 64);
	table.hash = cds_lfht_new_flavor(NR_KEYS, NR_KEYS, NR_KEYS, 0,
					 &urcu_memb_flavor, NULL);
	load_must(table.hash, NR_KEYS);
	urcu_memb_register_thread();
	populate(run, &table);
	urcu_memb_unregister_thread();
	load_parallel(run, body, &table);
	urcu_memb_register_thread();
	table_empty(&table);
	urcu_memb_unregister_thread();
	cds_lfht_destroy(table.hash, NULL);
	sem_destroy(&table.credits);
}

LOAD(rcu_hash) = {
	.name = "rcu-hash",
	.about = "a hash table's nodes of 100 to 300 B are replaced and freed "
		 "by the call_rcu thread (Desnoyers et al., User-Level "
		 "Implementations of Read-Copy Update, 2012)",
	.parallel = true, .operations = 600000, .run = rcu_hash_run
};
