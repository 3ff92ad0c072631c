/* layer 1.5: option: one option of the table, its name and value as a text
 *
 * The library reads LANEMALLOC_CONF by it (config.c), and the command
 * `lanemalloc run' its flags. No state but the bytes of texts, which racing
 * threads write alike. Wait-free; nothing is allocated.
 */
#ifndef LANE_OPTION_H
#define LANE_OPTION_H

#include "system/config.h"

/* A piece of the variable's text. */
struct slice {
	const char *at;
	size_t length;
};

/* Returns the option's number, or -1. */
int option_find(struct slice key);

/* Reads a value; a text's is kept for ever. False: it does not do. */
bool option_read(const struct config_option *option, struct slice text,
		 uint64_t *out);

/* Says what would do, behind "is not". */
void option_expected(char *buf, size_t size,
		     const struct config_option *option);

#endif
