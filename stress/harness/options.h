/* options: a program's command line, as a table
 *
 *	const struct option_row rows[] = {
 *		OPTION_NUMBER("threads", &threads, 1, 1000, "how many work"),
 *		OPTION_SWITCH("late", &late, "CPUs appear late"),
 *		OPTION_TEXT("sites", &path, "where the counts go"),
 *		OPTION_REAL("scale", &scale, 1e6, "above 0, at most 1e6"),
 *		OPTION_WORD("FILE", &file, "one word that is no option"),
 *	};
 *	options_read(argc, argv, rows, sizeof(rows) / sizeof(*rows));
 *
 * --threads=N and --threads N are the same. What is no option, or no value of
 * its option, is one line on stderr and status 2; --help prints the table.
 * Nothing here allocates.
 */
#ifndef HARNESS_OPTIONS_H
#define HARNESS_OPTIONS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct option_row {
	const char *name;
	void *number;	   /* unsigned ones of that size */
	size_t size;
	bool *flag;	   /* or what a switch sets */
	const char **text; /* or a text */
	double *real;	   /* or a number above 0, at most real_most */
	bool word;	   /* the text stands alone */
	uint64_t least, most;
	double real_most;
	const char *help;
};

#define OPTION_NUMBER(name_, to, least_, most_, help_)          \
	{ .name = name_, .number = to, .size = sizeof(*(to)),   \
	  .least = least_, .most = most_, .help = help_ }
#define OPTION_SWITCH(name_, to, help_) \
	{ .name = name_, .flag = to, .help = help_ }
#define OPTION_TEXT(name_, to, help_) \
	{ .name = name_, .text = to, .help = help_ }
#define OPTION_REAL(name_, to, most_, help_) \
	{ .name = name_, .real = to, .real_most = most_, .help = help_ }
#define OPTION_WORD(name_, to, help_) \
	{ .name = name_, .text = to, .word = true, .help = help_ }

_Noreturn static inline void option_wrong(const char *option, const char *what,
					  const char *text)
{
	fprintf(stderr, "%s: --%s %s %s (--help)\n",
		program_invocation_short_name, option, what, text);
	exit(2);
}

static inline void option_number(const struct option_row *row,
				 const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (end == text || *end || errno || strchr(text, '-') ||
	    n < row->least || n > row->most ||
	    (row->size < 8 && n >> 8 * row->size))
		option_wrong(row->name, "takes no such number:", text);
	memcpy(row->number, &n, row->size); /* the lower bytes come first */
}

static inline void option_real(const struct option_row *row, const char *text)
{
	char *end;
	double n = strtod(text, &end);

	if (end == text || *end || !(n > 0 && n <= row->real_most))
		option_wrong(row->name, "takes no such number:", text);
	*row->real = n;
}

static inline void option_set(const struct option_row *row, const char *text)
{
	if (row->flag)
		*row->flag = true;
	else if (row->real)
		option_real(row, text);
	else if (row->text)
		*row->text = text;
	else
		option_number(row, text);
}

static inline void options_help(const struct option_row *rows, size_t n)
{
	size_t i;

	printf("usage: %s [OPTION...]\n", program_invocation_short_name);
	for (i = 0; i < n; i++)
		printf("  %s%s%s\t%s\n", rows[i].word ? "" : "--", rows[i].name,
		       rows[i].flag || rows[i].word ? "" :
		       rows[i].text ? " TEXT" : " N",
		       rows[i].help);
	exit(fflush(stdout) ? 1 : 0);
}

static inline const struct option_row *
option_find(const struct option_row *rows, size_t n, const char *arg)
{
	size_t length = strcspn(arg, "="), i;

	for (i = 0; i < n; i++)
		if (rows[i].word ? *arg != '-' && !*rows[i].text :
		    length > 2 && !strncmp(arg, "--", 2) &&
		    strlen(rows[i].name) == length - 2 &&
		    !strncmp(rows[i].name, arg + 2, length - 2))
			return &rows[i];
	option_wrong("OPTION", "is what it takes, not", arg);
}

static inline void options_read(int argc, char **argv,
				const struct option_row *rows, size_t n)
{
	const struct option_row *row;
	const char *value;
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help"))
			options_help(rows, n);
		row = option_find(rows, n, argv[i]);
		if (row->word) {
			*row->text = argv[i];
			continue;
		}
		value = strchr(argv[i], '=');
		if (!row->flag && !value && i + 1 == argc)
			option_wrong(row->name, "takes a value", "");
		if (row->flag && value)
			option_wrong(row->name, "takes no value:", value + 1);
		if (!row->flag)
			value = value ? value + 1 : argv[++i];
		option_set(row, value);
	}
}

#define options_read_rows(argc, argv, rows) \
	options_read(argc, argv, rows, sizeof(rows) / sizeof((rows)[0]))

#endif
