/* layer 7.6: man: the man page out of argp's tables */
#ifndef LANE_COMMAND_MAN_H
#define LANE_COMMAND_MAN_H

#include <stdio.h>

#include "command/command.h"

/* The first sentence of what the subcommand says of itself. */
const char *man_sentence(const struct subcommand *command);

/* All of them, NULL ends them. */
void man_page(FILE *out, const struct subcommand *const *commands);

#endif
