/* layer 7.5: stacks: lists of stacks as text */
#ifndef LANE_COMMAND_STACKS_H
#define LANE_COMMAND_STACKS_H

#include <stdbool.h>
#include <stdio.h>

#include "command/profile.h"

#define NAME_SIZE 256

/* The stack's calls, one a line, `most` of them. */
void stack_put(FILE *out, const struct profile *profile,
	       const struct stack *stack, size_t most);

/* A text that the same calls have in another process, too: files and places
 * in them. To be freed; NULL: no memory. */
char *stack_key(const struct profile *profile, const struct stack *stack);

/* "10", "1.5" as parts of a hundred; "0.0" of nothing. */
double percent(int64_t part, int64_t whole);

#endif
