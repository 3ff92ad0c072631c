/* layer 0.3: text: words compared without libc
 *
 * libc's own may not be called before it is relocated. Pure, but for reads.
 */
#ifndef LANE_BASE_TEXT_H
#define LANE_BASE_TEXT_H

#include "base/compiler.h"

/* Returns where the text goes on behind that beginning; NULL: it has another.
 * */
static inline const char *text_behind(const char *text, const char *beginning)
{
	for (; *beginning; text++, beginning++)
		if (*text != *beginning)
			return NULL;
	return text;
}

/* Whether the two are equal. */
static inline bool text_is(const char *text, const char *other)
{
	const char *rest = text_behind(text, other);

	return rest && !*rest;
}

/* Whether the text ends so. */
static inline bool text_ends(const char *text, const char *end)
{
	size_t n = __builtin_strlen(text), m = __builtin_strlen(end);

	return n >= m && text_is(text + n - m, end);
}

#endif
