/* layer 7.4: command: what the subcommands share; contract in command.h */
#include "command/command.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

int command_fails(const char *format, ...)
{
	va_list args;

	fputs("lanemalloc: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return 1;
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
	FILE *out;

	if (!path || !strcmp(path, "-"))
		return stdout;
	out = fopen(path, "we");
	if (!out)
		command_fails("%s: %s", path, strerror(errno));
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
