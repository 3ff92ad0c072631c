/* layer 7.6: man: the man page out of argp's tables */
#include "command/man.h"

#include <string.h>

const char *man_sentence(const struct subcommand *command)
{
	static char text[512];
	const char *doc = command->argp->doc;
	size_t n = strcspn(doc, ".");

	snprintf(text, sizeof(text), "%.*s", (int)n, doc);
	return text;
}

/* What troff would take for its own. */
static void put(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '-' || *text == '\\')
			fprintf(out, "\\%s", *text == '-' ? "-" : "e");
		else if (*text == '\v')
			fputs("\n.PP\n", out);
		else
			fputc(*text, out);
	}
}

static void put_option(FILE *out, const struct argp_option *o)
{
	if (!o->name && o->doc) {
		fputs(".PP\n", out);
		put(out, o->doc);
		fputc('\n', out);
		return;
	}
	fputs(".TP\n.B ", out);
	if (o->key > ' ' && o->key < 127)
		fprintf(out, "\\-%c, ", o->key);
	fputs("\\-\\-", out);
	put(out, o->name);
	if (o->arg) {
		bool optional = o->flags & OPTION_ARG_OPTIONAL;

		fputs(optional ? "[=" : "=", out);
		put(out, o->arg);
		fputs(optional ? "]" : "", out);
	}
	fputc('\n', out);
	put(out, o->doc ? o->doc : "");
	fputc('\n', out);
}

static void put_command(FILE *out, const struct subcommand *command)
{
	const struct argp_option *o = command->argp->options;

	fprintf(out, ".SS lanemalloc %s", command->name);
	if (o && (o->name || o->doc))
		fputs(" [OPTION...]", out);
	fputc(' ', out);
	put(out, command->argp->args_doc);
	fputc('\n', out);
	put(out, command->argp->doc);
	fputc('\n', out);
	for (; o && (o->name || o->doc); o++)
		put_option(out, o);
}

/* Lines that begin with a blank are shown as they are typed. */
static const char *const examples[] = {
	"A server grows. It has to run with the library, which needs nothing "
	"else:",
	" lanemalloc run your-server",
	"Is it the program that holds more, or only memory that did not go "
	"back? What is live is the program's:",
	" lanemalloc top PID",
	"Who holds more than before? The addresses are a file's own, as "
	"addr2line wants them; that tells the line and what is inlined there:",
	" lanemalloc profile --seconds 60 --keep PID -o a.pb.gz\n"
	" sleep 600\n"
	" lanemalloc profile --seconds 0 --off PID -o b.pb.gz\n"
	" lanemalloc diff a.pb.gz b.pb.gz\n"
	" addr2line -f -i -e your-server 0x128d",
	"What could be done better with the memory, as a page:",
	" lanemalloc report --html PID -o report.html",
	NULL,
};

static void put_examples(FILE *out)
{
	const char *const *text;

	fputs(".SH EXAMPLES\n", out);
	for (text = examples; *text; text++) {
		fputs(**text == ' ' ? ".PP\n.nf\n" : ".PP\n", out);
		put(out, *text);
		fputs(**text == ' ' ? "\n.fi\n" : "\n", out);
	}
}

void man_page(FILE *out, const struct subcommand *const *commands)
{
	fprintf(out,
		".\\\" Made by `make docs` out of src/command/.\n"
		".TH LANEMALLOC 1 \"\" \"lanemalloc %d.%d.%d\" "
		"\"User Commands\"\n.SH NAME\n"
		"lanemalloc \\- looks into the heaps of processes that use "
		"liblanemalloc\n.SH SYNOPSIS\n.B lanemalloc\n.I SUBCOMMAND\n"
		"[OPTION...]\n.SH DESCRIPTION\nThe subcommands read a "
		"process's memory, or a core file's, from outside: the process "
		"is not stopped and runs no code for it, but for the one "
		"switch of its profile. It has to be the user's own, or the "
		"caller root.\n.SH SUBCOMMANDS\n",
		LANEMALLOC_VERSION_MAJOR, LANEMALLOC_VERSION_MINOR,
		LANEMALLOC_VERSION_PATCH);
	for (; *commands; commands++)
		put_command(out, *commands);
	put_examples(out);
	fprintf(out,
		".SH EXIT STATUS\n0; 1 where something failed, which one "
		"line on stderr says; 2 for wrong usage. run: that of the "
		"command.\n.SH SEE ALSO\nlanemalloc(7), lanemalloc.conf(5)\n");
}
