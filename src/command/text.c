/* layer 7.1: text: numbers and strings as people and machines read them */
#include "command/text.h"

#include <string.h>

#define WIDTH 79

const char *text_size(char buf[SIZE_TEXT], uint64_t size)
{
	static const char *const units[] = { "KiB", "MiB", "GiB",
					     "TiB", "PiB", "EiB" };
	double value = (double)size;
	int unit = -1;

	for (; value >= 1023.95 && unit < 5; unit++)
		value /= 1024;
	if (unit < 0)
		snprintf(buf, SIZE_TEXT, "%u B", (unsigned)size);
	else
		snprintf(buf, SIZE_TEXT, "%.1f %s", value, units[unit]);
	return buf;
}

const char *text_count(char buf[COUNT_TEXT], uint64_t nr, const char *what)
{
	snprintf(buf, COUNT_TEXT, "%lu %s%s", nr, what, nr == 1 ? "" : "s");
	return buf;
}

void text_put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ')
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
}

void text_put_markup(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else
			fputc(*text, out);
	}
}

void text_put_lines(FILE *out, int indent, const char *text)
{
	int at = indent, n;

	for (; *text; text += n + (text[n] == ' ')) {
		n = (int)strcspn(text, " ");
		if (at > indent && at + 1 + n > WIDTH) {
			fprintf(out, "\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			fputc(' ', out);
			at++;
		}
		fprintf(out, "%.*s", n, text);
		at += n;
	}
	fputc('\n', out);
}
