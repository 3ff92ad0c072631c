/* layer 1.5: config: the options of LANEMALLOC_CONF; contract in config.h
 *
 * The environment is read without a lock (environ.h): at start-up nobody
 * changes it.
 *
 * States: the defaults; then, for ever, what the environment said. A thread
 * that sees `ready` sees every option's final value. Two threads that race in
 * config_start() copy equal values over each other; one that dies there leaves
 * some options final and some at their defaults, and the next caller stores
 * them all. Everything is wait-free.
 */
#include "system/config.h"

#include <errno.h>

#include "base/atomic.h"
#include "system/config_file.h"
#include "system/environ.h"
#include "system/option.h"
#include "system/report.h"
#include "system/system.h"

#define VARIABLE "LANEMALLOC_CONF"
#define OPTION_MOST 64 /* of ",name=value", but for a text */
#define HEAD_MOST 64   /* of a line, before its options */

#define DEFAULT(name, kind, value, least, most, help) .name = value,
#define DEFAULTS                        \
	{                               \
		CONFIG_OPTIONS(DEFAULT) \
	}
struct config config = DEFAULTS;

_Static_assert(sizeof(struct config) == NR_CONFIG_OPTIONS * sizeof(uint64_t),
	       "config_field() counts fields of 64 bits");

/* What slices look like in a message: "%.*s" with these two. */
#define SLICE_SHOWN(slice)                                                  \
	(int)((slice).length < OPTION_MOST ? (slice).length : OPTION_MOST), \
		(slice).at

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct slice slice_until(const char *text, const char *end, char stop)
{
	struct slice slice = { text, 0 };

	while (text + slice.length < end && text[slice.length] != stop)
		slice.length++;
	return slice;
}

/* Whether this warning may still be printed. */
static bool may_warn(struct config_source *source)
{
	return ++source->nr_warnings <= CONFIG_WARNINGS_MOST;
}

static void parse_pair(struct config *out, struct slice key, struct slice value,
		       struct config_source *source)
{
	int i = option_find(key);
	char expected[128];
	uint64_t number;

	if (i < 0) {
		if (may_warn(source))
			report_line("%s: unknown key '%.*s'", source->name,
				    SLICE_SHOWN(key));
		return;
	}
	if (option_read(&config_options[i], value, &number)) {
		*config_field(out, (unsigned)i) = number;
		return;
	}
	option_expected(expected, sizeof(expected), &config_options[i]);
	if (may_warn(source))
		report_line("%s: %s: '%.*s' is not %s", source->name,
			    config_options[i].name, SLICE_SHOWN(value),
			    expected);
}

/* Takes off the blanks before and behind it. */
static struct slice trim(struct slice slice)
{
	while (slice.length && is_blank(slice.at[0])) {
		slice.at++;
		slice.length--;
	}
	while (slice.length && is_blank(slice.at[slice.length - 1]))
		slice.length--;
	return slice;
}

static void warn_item(struct slice item, struct config_source *source)
{
	if (may_warn(source))
		report_line("%s: '%.*s' is not key=value", source->name,
			    SLICE_SHOWN(item));
}

static void parse_item(struct config *out, struct slice item,
		       struct config_source *source)
{
	const char *end = item.at + item.length;
	struct slice key = slice_until(item.at, end, '=');
	struct slice value;

	if (!item.length)
		return;
	if (!key.length || key.length == item.length) {
		warn_item(item, source);
		return;
	}
	value.at = key.at + key.length + 1;
	value.length = (size_t)(end - value.at);
	if (source->is_file) {
		key = trim(key);
		value = trim(value);
	}
	parse_pair(out, key, value, source);
}

void config_parse_line(struct config *out, const char *line, size_t length,
		       struct config_source *source)
{
	struct slice item = trim((struct slice){ line, length });

	if (item.length && item.at[0] != '#')
		parse_item(out, item, source);
}

/* Reads "@path": the file stands in its place. */
static void parse_file_item(struct config *out, struct slice item,
			    struct config_source *source)
{
	char path[CONFIG_TEXT_MOST + 1];
	int error = -ENAMETOOLONG;

	if (item.length <= CONFIG_TEXT_MOST) {
		__builtin_memcpy(path, item.at + 1, item.length - 1);
		path[item.length - 1] = '\0';
		error = config_read(out, path, config_parse_line);
	}
	if (error && may_warn(source))
		report_line("%s: %.*s cannot be read: error %d, %s",
			    source->name, SLICE_SHOWN(item), -error,
			    report_error(-error));
}

/* Empty items, as behind a last comma, are no fault. */
void config_parse(struct config *out, const char *text)
{
	struct config_source source = { .name = VARIABLE };
	const char *end = text;
	struct slice item;

	while (*end)
		end++;
	for (;;) {
		item = slice_until(text, end, ',');
		if (item.length && item.at[0] == '@')
			parse_file_item(out, item, &source);
		else
			parse_item(out, item, &source);
		text += item.length;
		if (text == end)
			return;
		text++;
	}
}

/* Who starts a privileged program chooses its directory and sends it signals:
 * with its rights no file is written for them, whatever root's file says. */
static void forbid_files(struct config *c)
{
	c->profile = c->profile_signal = 0;
	c->stats_file = c->stats_signal = c->report_file = 0;
	c->pressure = 0; /* the environment names the file */
}

static _Atomic(uint32_t) ready; /* atomic: all options are as they stay */

/* A wish beyond a promise is never passed. */
static void warn_limits(const struct config *c)
{
	if (c->limit_hard && c->limit_soft > c->limit_hard)
		report_line("limit_soft=%lu is above limit_hard=%lu: "
			    "without effect",
			    c->limit_soft, c->limit_hard);
}

static cold bool config_start_slow(void)
{
	struct config result = DEFAULTS;
	const char *text;

	if (!environ_is_there())
		return false;
	text = environ_find(VARIABLE);
	/* Most have none. */
	config_read(&result, CONFIG_FILE, config_parse_line);
	if (text && !system_privileged())
		config_parse(&result, text);
	if (result.hardened && result.large_guard == LARGE_GUARD_AUTO)
		result.large_guard = LARGE_GUARD_ALL;
	if (system_privileged())
		forbid_files(&result);
	warn_limits(&result);
	config = result;
	// [config.ready] with config_start(): the values of all options
	store_release(&ready, 1);
	return true;
}

bool config_start(void)
{
	// [config.ready] with config_start_slow(): the values of all options
	return likely(load_acquire(&ready)) || config_start_slow();
}

/* Writes "name=value" behind what stands before it; returns its length. */
static size_t option_format(char *out, size_t size, const char *before,
			    unsigned i)
{
	const struct config_option *option = &config_options[i];
	uint64_t value = *config_field(&config, i);
	const char *word = value ? "on" : "off";

	if (option->kind == CONFIG_NUMBER)
		return (size_t)report_format(out, size, "%s%s=%lu", before,
					     option->name, value);
	if (option->kind == CONFIG_CHOICE)
		word = option->words[value];
	if (option->kind == CONFIG_TEXT)
		word = config_text(value);
	return (size_t)report_format(out, size, "%s%s=%s", before, option->name,
				     word);
}

static size_t option_format_most(unsigned i)
{
	const char *text = "";
	size_t n = OPTION_MOST;

	if (config_options[i].kind == CONFIG_TEXT)
		text = config_text(*config_field(&config, i));
	while (*text++)
		n++;
	return n;
}

static void print_options(const char *list)
{
	report_line("pid %d: " VARIABLE "=%s", system_getpid(), list);
}

void config_print(void)
{
	char list[REPORT_LINE_SIZE - HEAD_MOST];
	size_t n = 0;
	unsigned i;

	for (i = 0; i < NR_CONFIG_OPTIONS; i++) {
		if (n + option_format_most(i) > sizeof(list)) {
			print_options(list);
			n = 0;
		}
		n += option_format(list + n, sizeof(list) - n, n ? "," : "", i);
	}
	print_options(list);
}
