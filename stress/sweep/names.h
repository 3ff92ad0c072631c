/* names: what the load calls beyond the C library's functions, where the
 * library under test has it
 */
#ifndef NAMES_H
#define NAMES_H

#include "lanemalloc.h"

#include <malloc.h>
#include <stdlib.h>

struct names {
	size_t (*stats)(struct lanemalloc_stats *, size_t);
	size_t (*stats_json)(char *, size_t);
	size_t (*purge)(void);
	int (*profile_start)(void);
	void (*profile_stop)(void);
	int (*profile_dump)(const char *path);
	size_t (*classes)(struct lanemalloc_class_stats *, size_t, size_t);
	size_t (*cpus)(struct lanemalloc_cpu_stats *, size_t, size_t);
	size_t (*detail_json)(char *, size_t);
	size_t (*prometheus)(char *, size_t);
	size_t (*limit)(const struct lanemalloc_limits *,
			struct lanemalloc_limits *, size_t);
	void (*check)(void);
	/* By other allocators' names. */
	int (*ctl)(const char *, void *, size_t *, void *, size_t);
	void (*stats_print)(void (*)(void *, const char *), void *,
			    const char *);
	int (*property)(const char *, size_t *);
	void (*table)(char *, int);
	void (*release_all)(void);
	void (*release)(size_t);
	const char *(*mode)(const char **);
	const char *(*version)(void);
	int (*reclaimer_start)(void);
	void (*free_sized)(void *, size_t);
	void (*free_aligned_sized)(void *, size_t, size_t);
	void (*cfree)(void *);
	struct mallinfo (*mallinfo)(void);
	void *(*pvalloc)(size_t);
	void *(*libc_malloc)(size_t);
	/* Not exported. */
	int (*format)(char *, size_t, const char *, ...);
	void *(*move)(void *, const void *, size_t);
	/* judged: has room for what it tells. */
	bool (*guarded_find)(const void *, void *judged);
	/* What programs outside write. */
	_Atomic(uint32_t) *outside_switch;
	_Atomic(uint16_t) *readers; /* of the probes */
};
extern struct names names;

/* The operators: X(new's name, delete's name, arguments of each). */
enum operator_args { ARG_NONE, ARG_SIZE, ARG_ALIGN, ARG_NOTHROW };

struct operator_pair {
	const char *new_name, *delete_name;
	bool new_aligned, new_nothrow;
	bool delete_size, delete_aligned, delete_nothrow;
	void *new_found, *delete_found;
};
#define NR_OPERATORS 12
extern struct operator_pair operators[NR_OPERATORS];

void names_find(void);
void *names_new(const struct operator_pair *o, size_t size, size_t align);
void names_delete(const struct operator_pair *o, void *at, size_t size,
		  size_t align);

#endif
