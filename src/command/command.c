/* layer 7.4: command: what the subcommands share; contract in command.h */
#include "command/command.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __attribute__((format(printf, 1, 0))) void line_put(const char *format,
							   va_list args)
{
	fputs("lanemalloc: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

int command_fails(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line_put(format, args);
	va_end(args);
	return 1;
}

void command_misused(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line_put(format, args);
	va_end(args);
	exit(argp_err_exit_status);
}

/* As in "profile: ..."; the name that argp has is "lanemalloc profile". */
static const char *subcommand_of(const struct argp_state *state)
{
	const char *space = strchr(state->name, ' ');

	return space ? space + 1 : state->name;
}

void command_lacks(const struct argp_state *state, const char *what)
{
	command_misused("%s: a %s is missing: see %s --help",
			subcommand_of(state), what, state->name);
}

uint64_t command_number(struct argp_state *state, const char *text)
{
	static const char suffixes[] = "kmg";
	const char *suffix;
	unsigned shift = 0;
	uint64_t number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	suffix = *end ? strchr(suffixes, tolower((unsigned char)*end)) : NULL;
	if (suffix) {
		shift = 10 * (unsigned)(suffix - suffixes + 1);
		end++;
	}
	if (!isdigit((unsigned char)*text) || *end || errno ||
	    number > UINT64_MAX >> shift)
		command_misused("%s: '%s' is not a number",
				subcommand_of(state), text);
	return number << shift;
}

double command_seconds(struct argp_state *state, const char *text)
{
	double seconds;
	char *end;

	seconds = strtod(text, &end);
	if (end == text || *end || !isfinite(seconds) || seconds < 0)
		command_misused("%s: '%s' is not a number of seconds",
				subcommand_of(state), text);
	return seconds;
}

bool command_open(struct image *image, struct root *root, const char *name)
{
	if (image_open(image, name) && root_find(image, root))
		return true;
	command_fails("%s", image->error);
	image_close(image);
	return false;
}

FILE *command_output(const char *path)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, fd;
	FILE *out;

	if (!path || !strcmp(path, "-"))
		return stdout;
	fd = open(path, flags, 0600);
	out = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!out)
		command_fails("%s: %s", path, strerror(errno));
	if (!out && fd >= 0)
		close(fd);
	return out;
}

int command_output_end(FILE *out, const char *path)
{
	int failed = ferror(out) | fflush(out);

	if (out != stdout)
		failed |= fclose(out);
	if (failed)
		return command_fails("%s: cannot be written",
				     path ? path : "stdout");
	return 0;
}

error_t command_name(int key, char *arg, struct argp_state *state,
		     const char *what, const char **name)
{
	if (key == ARGP_KEY_ARG && state->arg_num == 0)
		*name = arg;
	else if (key == ARGP_KEY_ARG)
		command_misused("%s: one %s at a time, and '%s' is one more",
				subcommand_of(state), what, arg);
	else if (key == ARGP_KEY_NO_ARGS)
		command_lacks(state, what);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}
