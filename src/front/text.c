/* layer 5.6: text: a text that grows in a buffer of the caller's; contract in
 * text.h */
#include "front/text.h"

#include "base/bits.h"
#include "system/report.h"

void text_add(struct text *t, const char *fmt, ...)
{
	size_t at = min_size(t->length, t->size);
	va_list args;

	va_start(args, fmt);
	t->length += (size_t)report_vformat(t->buf + at, t->size - at, fmt,
					    args);
	va_end(args);
}

void text_add_escaped(struct text *t, const char *string)
{
	for (; *string; string++)
		text_add(t, *string == '"' || *string == '\\' ? "\\%c" : "%c",
			 *string);
}

bool text_is(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}
