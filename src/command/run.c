/* layer 7.6: run: lanemalloc run [OPTION...] CMD
 *
 * Sets LD_PRELOAD and LANEMALLOC_CONF and becomes the command. The library is
 * the one beside this program or where its prefix has libraries, else the one
 * that the loader finds. What LD_PRELOAD has already stays behind it, and so
 * does what LANEMALLOC_CONF has before the flags given here, which count. With
 * --no-children the library takes itself out of the environment again, before
 * main (entry/children.c).
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"
#include "system/option.h"

#define LIBRARY "liblanemalloc.so.1"
#define KEY_LIBRARY 256
#define KEY_NO_CHILDREN 257
#define KEY_PRINT 258
#define KEY_OPTION 512 /* and its number */

struct arguments {
	char conf[4096];
	const char *library;
	bool no_children, print;
	char **command;
};

enum option_number {
#define OPTION_NUMBER(name, kind, value, least, most, help) OPTION_##name,
	CONFIG_OPTIONS(OPTION_NUMBER)
#undef OPTION_NUMBER
};

/* A switch without a value is on, so that it does not take the command for
 * one; every other flag has its value. */
#define FLAG_BOOL OPTION_ARG_OPTIONAL
#define FLAG_NUMBER 0
#define FLAG_TEXT 0
#define FLAG_CHOICE_index 0
#define FLAG_CHOICE_numa 0
#define FLAG_CHOICE_hugepage 0
#define FLAG_CHOICE_large_guard 0
#define FLAG_CHOICE_mte 0
#define FLAG_CHOICE_usable 0
#define FLAG_CHOICE_checks 0
#define FLAG_CHOICE_limit 0
#define FLAG_CHOICE_profile_form 0

/* The library's own options as flags, out of its table. */
static const struct argp_option options[] = {
	{ "library", KEY_LIBRARY, "PATH", 0, "this library", 1 },
	{ "no-children", KEY_NO_CHILDREN, NULL, 0,
	  "programs that the command starts do not get the library", 1 },
	{ "print", KEY_PRINT, NULL, 0,
	  "print the environment that would be set, and do nothing", 1 },
	{ NULL, 0, NULL, 0, "Options of the library:", 2 },
#define OPTION_FLAG(name, kind, value, least, most, help) \
	{ #name, KEY_OPTION + OPTION_##name, "VALUE", FLAG_##kind, help, 2 },
	CONFIG_OPTIONS(OPTION_FLAG)
#undef OPTION_FLAG
		{ 0 },
};

/* A value with which the library would go on by the default ends it here. */
static void value_check(const struct config_option *option, const char *value)
{
	struct slice text = { value, strlen(value) };
	char expected[256];
	uint64_t number;

	if (strchr(value, ','))
		command_misused("--%s: no commas in values", option->name);
	if (option_read(option, text, &number))
		return;
	option_expected(expected, sizeof(expected), option);
	command_misused("--%s: '%s' is not %s", option->name, value, expected);
}

static void conf_add(struct arguments *a, const struct config_option *option,
		     const char *value)
{
	size_t at = strlen(a->conf);
	int n = snprintf(a->conf + at, sizeof(a->conf) - at, "%s%s=%s",
			 at ? "," : "", option->name, value);

	if (n < 0 || (size_t)n >= sizeof(a->conf) - at)
		command_misused("too many options");
	value_check(option, value);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key == KEY_LIBRARY)
		a->library = arg;
	else if (key == KEY_NO_CHILDREN)
		a->no_children = true;
	else if (key == KEY_PRINT)
		a->print = true;
	else if (key >= KEY_OPTION && key < KEY_OPTION + NR_CONFIG_OPTIONS)
		conf_add(a, &config_options[key - KEY_OPTION],
			 arg ? arg : "on");
	else if (key == ARGP_KEY_ARGS)
		a->command = state->argv + state->next;
	else if (key == ARGP_KEY_NO_ARGS)
		command_lacks(state, "program");
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "CMD [ARGUMENT...]",
	.doc = "Runs a command with the library. It becomes the command: "
	       "process id, status and signals are the command's. An "
	       "LD_PRELOAD or LANEMALLOC_CONF that is there stays.",
};

/* Below this program's own prefix. */
static bool library_find(char path[PATH_MAX])
{
	static const char *const places[] = {
		"",
		"/../lib",
		"/../lib64",
		"/../lib/x86_64-linux-gnu",
		"/../lib/aarch64-linux-gnu",
	};
	char own[PATH_MAX], try[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

	if (n <= 0)
		return false;
	own[n] = '\0';
	*strrchr(own, '/') = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(try, sizeof(try), "%s%s/" LIBRARY, own, places[i]);
		if (realpath(try, path))
			return true;
	}
	return false;
}

/* ":" or "," between what is there and what comes. */
static void variable_set(const char *name, const char *first, char between,
			 const char *second)
{
	size_t size = strlen(first) + strlen(second) + 2;
	char *text = malloc(size);

	if (!text)
		return;
	if (*first && *second)
		snprintf(text, size, "%s%c%s", first, between, second);
	else
		snprintf(text, size, "%s%s", first, second);
	if (*text)
		setenv(name, text, 1);
	free(text);
}

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static void print(void)
{
	static const char *const names[] = { "LD_PRELOAD", "LANEMALLOC_CONF",
					     "LANEMALLOC_NO_CHILDREN" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (getenv(names[i]))
			printf("%s=%s\n", names[i], getenv(names[i]));
}

static int run(int argc, char **argv)
{
	struct arguments a = { 0 };
	char path[PATH_MAX] = LIBRARY;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a);
	if (a.library ? !realpath(a.library, path) : false)
		return command_fails("%s: %s", a.library, strerror(errno));
	if (!a.library && !library_find(path))
		strcpy(path, LIBRARY);
	if (strpbrk(path, " :"))
		return command_fails("%s: LD_PRELOAD takes no path with a "
				     "space or a colon",
				     path);
	variable_set("LD_PRELOAD", path, ':', variable("LD_PRELOAD"));
	variable_set("LANEMALLOC_CONF", variable("LANEMALLOC_CONF"), ',',
		     a.conf);
	if (a.no_children)
		setenv("LANEMALLOC_NO_CHILDREN", path, 1);
	if (a.print) {
		print();
		return 0;
	}
	execvp(a.command[0], a.command);
	command_fails("%s: %s", a.command[0], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}

const struct subcommand run_command = { "run", &argp, run };
