/* layer 7.9: main: the command `lanemalloc`
 *
 * Finds the subcommand and hands it its arguments. `--man` writes the man page
 * out of the same tables that `--help` reads (man.h).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/man.h"
#include "command/text.h"

static const struct subcommand *const subcommands[] = {
	&run_command,	  &top_command,	  &stats_command, &map_command,
	&profile_command, &leaks_command, &diff_command,  &report_command,
	&serve_command,	  NULL,
};

static void usage(FILE *out)
{
	fprintf(out, "Usage: lanemalloc SUBCOMMAND [OPTION...]\n"
		     "       lanemalloc SUBCOMMAND --help\n"
		     "       lanemalloc --version\n\n");
	for (int i = 0; subcommands[i]; i++)
		text_put_lines(out,
			       fprintf(out, "  %-8s ", subcommands[i]->name),
			       man_sentence(subcommands[i]));
}

static int other(const char *word)
{
	if (!strcmp(word, "--help") || !strcmp(word, "help")) {
		usage(stdout);
		return 0;
	}
	if (!strcmp(word, "--version")) {
		printf("lanemalloc %d.%d.%d, view %d\n",
		       LANEMALLOC_VERSION_MAJOR, LANEMALLOC_VERSION_MINOR,
		       LANEMALLOC_VERSION_PATCH, LANEMALLOC_VIEW_VERSION);
		return 0;
	}
	if (!strcmp(word, "--man")) {
		man_page(stdout, subcommands);
		return 0;
	}
	command_fails("no subcommand '%s': see lanemalloc --help", word);
	return 2;
}

int main(int argc, char **argv)
{
	char name[64];

	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	argp_err_exit_status = 2;
	for (int i = 0; subcommands[i]; i++) {
		if (strcmp(argv[1], subcommands[i]->name))
			continue;
		snprintf(name, sizeof(name), "lanemalloc %s", argv[1]);
		argv[1] = name;
		return subcommands[i]->run(argc - 1, argv + 1);
	}
	return other(argv[1]);
}
