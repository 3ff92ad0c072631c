/* hook: a numbered site around each atomic operation of the library
 *
 * Each use of an operation is a static struct in the section perturb_sites,
 * so that the linker makes the list of all sites. An inline function has one
 * in each file that it is compiled into; the report adds up those of one
 * line. perturb_hit() is called before and, but for loads, after the
 * operation.
 */
#ifndef PERTURB_HOOK_H
#define PERTURB_HOOK_H

#include <stdint.h>

#define PERTURB_KINDS_MOST 8

struct perturb_site {
	const char *file, *function, *op;
	uint32_t line;
	uint32_t weight; /* how fast it brings the next injection on */
	uint64_t hits;   /* racy: a few may be lost */
	uint32_t injected[PERTURB_KINDS_MOST];
} __attribute__((aligned(64)));

void perturb_hit(struct perturb_site *site)
	__attribute__((visibility("hidden")));

#define PERTURB_SITE(op)                                                  \
	static struct perturb_site perturb_site_ __attribute__((          \
		section("perturb_sites"))) = { __FILE__, __func__, (op),  \
					       __LINE__, 1,	  0, { 0 } }

#define PERTURB_LOAD(op, operation)           \
	__extension__({                       \
		PERTURB_SITE(op);             \
		perturb_hit(&perturb_site_);  \
		operation;                    \
	})

#define PERTURB_VALUE(op, operation)                     \
	__extension__({                                  \
		PERTURB_SITE(op);                        \
		perturb_hit(&perturb_site_);             \
		__auto_type perturb_value_ = (operation); \
		perturb_hit(&perturb_site_);             \
		perturb_value_;                          \
	})

#define PERTURB_VOID(op, operation)           \
	__extension__({                       \
		PERTURB_SITE(op);             \
		perturb_hit(&perturb_site_);  \
		operation;                    \
		perturb_hit(&perturb_site_);  \
	})

#endif
