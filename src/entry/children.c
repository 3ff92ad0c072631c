/* layer 6.8: children: the library leaves the environment before main
 *
 * LANEMALLOC_NO_CHILDREN=PATH, as `lanemalloc run --no-children` sets it: PATH
 * goes out of LD_PRELOAD and the variable goes with it, so that programs which
 * this one starts have neither. It is done in place, as the strings only get
 * shorter, by a constructor: no other thread is there, nothing allocates. A
 * program that is set-user-id has no LD_PRELOAD, and nothing happens.
 */
#include "system/environ.h"

/* Returns where the value of the variable begins in an entry; NULL: another's.
 * */
static char *value_of(char *entry, const char *name)
{
	size_t n = __builtin_strlen(name);

	if (__builtin_strncmp(entry, name, n) || entry[n] != '=')
		return NULL;
	return entry + n + 1;
}

static char **find(const char *name)
{
	char **entry = environ;

	while (*entry && !value_of(*entry, name))
		entry++;
	return entry;
}

static void take_out(char **entry)
{
	for (; *entry; entry++)
		entry[0] = entry[1];
}

/* Finds the first place of a list where the path stands between separators. */
static char *find_path(char *list, const char *path)
{
	size_t n = __builtin_strlen(path);

	for (; *list; list++) {
		if (!__builtin_strncmp(list, path, n) &&
		    (!list[n] || list[n] == ':' || list[n] == ' '))
			return list;
		while (*list && *list != ':' && *list != ' ')
			list++;
		if (!*list)
			return NULL;
	}
	return NULL;
}

static void path_leave(const char *path)
{
	char **entry = find("LD_PRELOAD");
	char *list = *entry ? value_of(*entry, "LD_PRELOAD") : NULL;
	char *at = list ? find_path(list, path) : NULL;
	const char *rest;

	if (!at)
		return;
	rest = at + __builtin_strlen(path);
	if (*rest)
		rest++;
	__builtin_memmove(at, rest, __builtin_strlen(rest) + 1);
	if (!*list)
		take_out(entry);
}

static __attribute__((constructor(104))) void leave(void)
{
	char **entry;

	if (!environ_is_there())
		return;
	entry = find("LANEMALLOC_NO_CHILDREN");
	if (!*entry)
		return;
	path_leave(value_of(*entry, "LANEMALLOC_NO_CHILDREN"));
	take_out(find("LANEMALLOC_NO_CHILDREN"));
}
