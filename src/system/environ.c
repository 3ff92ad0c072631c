/* layer 1.1: environ: the list of variables; base64 */
#include "system/environ.h"

#include "base/text.h"

const char *environ_find(const char *name)
{
	const char *text;
	char **list;

	if (!environ_is_there())
		return NULL;
	for (list = environ; *list; list++) {
		text = text_behind(*list, name);
		if (text && *text == '=')
			return text + 1;
	}
	return NULL;
}

/* Returns the six bits that a character stands for, or -1. */
static int six_bits(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '/')
		return c == '+' ? 62 : 63;
	return -1;
}

static bool is_end(const char *text)
{
	while (*text == '=')
		text++;
	return !*text;
}

long environ_decode(const char *text, char *out, size_t size)
{
	unsigned bits = 0, nr_bits = 0;
	size_t n = 0;

	for (; six_bits(*text) >= 0; text++) {
		bits = bits << 6 | (unsigned)six_bits(*text);
		nr_bits += 6;
		if (nr_bits < 8)
			continue;
		if (n == size)
			return -1;
		nr_bits -= 8;
		out[n++] = (char)(bits >> nr_bits);
	}
	return is_end(text) ? (long)n : -1;
}
