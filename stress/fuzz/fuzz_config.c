/* fuzz_config: any text as the value of LANEMALLOC_CONF
 *
 * The text ends right before memory that cannot be read. A second reading of
 * it, written down from the options' documentation, says what the options
 * must be and how many warnings there are; the heap then works with them.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "front/heap.h"
#include "interrupt.h"
#include "names.h"
#include "system/config.h"
#include "target.h"
#include "world.h"

#define TEXT_MOST 2048
#define LINE_MOST 512
#define VARIABLE "LANEMALLOC_CONF="

static char *area_end; /* what follows cannot be read */

static void area_make(void)
{
	size_t size = 4 * KIB;
	char *area = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(area != MAP_FAILED);
	must(!mprotect(area + size, size, PROT_NONE));
	area_end = area + size;
}

/* The variable with this text, up to its first NUL; it names no files. */
static char *place(const uint8_t *data, size_t size)
{
	size_t length = strnlen((const char *)data, size);
	size_t name = strlen(VARIABLE), i;
	char *at;

	if (!area_end)
		area_make();
	if (length > TEXT_MOST)
		length = TEXT_MOST;
	at = area_end - 1 - length;
	for (i = 0; i < length; i++)
		at[i] = data[i] == '@' ? 'a' : (char)data[i];
	at[length] = '\0';
	return memcpy(at - name, VARIABLE, name);
}

/* The second reading */

struct reading {
	struct config config; /* but for the texts */
	char texts[NR_CONFIG_OPTIONS][CONFIG_TEXT_MOST + 1];
	unsigned nr_warnings;
};

/* Digits and at most one suffix; nothing else is a number. */
static bool read_number(const char *value, uint64_t *out)
{
	static const char suffixes[] = "kmgKMG";
	size_t digits = strspn(value, "0123456789");
	const char *suffix = value + digits;
	unsigned __int128 n = 0;
	size_t i;

	if (!digits || (suffix[0] && suffix[1]) ||
	    (suffix[0] && !strchr(suffixes, suffix[0])))
		return false;
	for (i = 0; i < digits && n >> 64 == 0; i++)
		n = n * 10 + (unsigned)(value[i] - '0');
	if (suffix[0])
		n <<= 10 * ((strchr(suffixes, suffix[0]) - suffixes) % 3 + 1);
	*out = n >> 64 ? UINT64_MAX : (uint64_t)n;
	return true;
}

static bool read_word(const struct config_option *option, const char *value,
		      uint64_t *out)
{
	unsigned i;

	for (i = 0; option->words[i]; i++)
		if (!strcmp(option->words[i], value)) {
			*out = option->kind == CONFIG_BOOL ? i % 2 : i;
			return true;
		}
	return false;
}

static bool read_option(struct reading *r, const char *key, const char *value)
{
	const struct config_option *option;
	uint64_t n;
	unsigned i;

	for (i = 0; i < NR_CONFIG_OPTIONS; i++)
		if (!strcmp(config_options[i].name, key))
			break;
	if (i == NR_CONFIG_OPTIONS)
		return false;
	option = &config_options[i];
	if (option->kind == CONFIG_TEXT) {
		if (strlen(value) > option->most)
			return false;
		strcpy(r->texts[i], value);
		return true;
	}
	if (option->kind == CONFIG_NUMBER) {
		if (!read_number(value, &n) || n < option->least ||
		    n > option->most)
			return false;
	} else if (!read_word(option, value, &n)) {
		return false;
	}
	*config_field(&r->config, i) = n;
	return true;
}

/* Texts are equal as texts; all else bit by bit. */
static bool is_config(const struct reading *r)
{
	const char *text;
	uint64_t value;
	unsigned i;

	for (i = 0; i < NR_CONFIG_OPTIONS; i++) {
		value = *config_field(&config, i);
		text = config_text(value);
		if (config_options[i].kind == CONFIG_TEXT ?
			    strcmp(text, r->texts[i]) :
			    value != *config_field((struct config *)&r->config,
						   i))
			return false;
	}
	return true;
}

static const struct reading *read_again(const char *text)
{
	static char copy[TEXT_MOST + 1];
	static struct reading r;
	char *item, *rest = copy, *equals;
	unsigned i;

	memset(&r, 0, sizeof(r));
	for (i = 0; i < NR_CONFIG_OPTIONS; i++)
		*config_field(&r.config, i) = config_options[i].value;
	strcpy(copy, text);
	while ((item = strsep(&rest, ","))) {
		if (!*item)
			continue;
		equals = strchr(item, '=');
		if (equals)
			*equals = '\0';
		if (!equals || equals == item ||
		    !read_option(&r, item, equals + 1))
			r.nr_warnings++;
	}
	return &r;
}

/* What stderr got: each line is whole, short, ours and without control
 * characters. Returns how many there are. */
static unsigned check_lines(const char *text, const char *head)
{
	const char *end, *at;
	unsigned n = 0;

	for (; *text; text = end + 1, n++) {
		end = strchr(text, '\n');
		must(end && end - text < LINE_MOST);
		must(!strncmp(text, head, strlen(head)));
		for (at = text; at < end; at++)
			must((unsigned char)*at >= ' ' && *at != 0x7f);
	}
	return n;
}

/* The heap under these options. */
static void work(void)
{
	void *blocks[40], *again;
	unsigned i, k;

	for (k = 0; k < 3; k++) {
		for (i = 0; i < 40; i++) {
			blocks[i] = fuzz_calloc(1, i * i * (k ? 30 : 9));
			must(blocks[i]);
		}
		for (i = 0; i < 40; i += 3) {
			again = fuzz_realloc(blocks[i], 10 + 5000 * k);
			must(again);
			blocks[i] = again;
		}
		for (i = 0; i < 40; i++)
			fuzz_free(blocks[i]);
		world.now += 10000;
	}
	heap_purge(0);
}

/* What config_print() says reads back as what it is. */
static void check_print(void)
{
	static char head[64], lines[16 * LINE_MOST];
	struct config again = { 0 };
	char *line, *rest;

	snprintf(head, sizeof(head), "lanemalloc: pid %d: " VARIABLE,
		 world.pid);
	world_text_clear();
	config_print();
	must(check_lines(world_text(), head) >= 1);
	strcpy(lines, world_text());
	world_text_clear();
	for (rest = lines; (line = strsep(&rest, "\n")) && *line;)
		config_parse(&again, line + strlen(head));
	must(!*world_text());
	must(!memcmp(&again, &config, sizeof(config)));
}

void target_run(const uint8_t *data, size_t size)
{
	const struct reading *r;
	unsigned nr_lines;
	char *variable;

	world_reset();
	interrupt_reset();
	variable = place(data, size);
	world_set_environment(variable);
	must(config_start());
	r = read_again(variable + strlen(VARIABLE));
	must(is_config(r));
	nr_lines = check_lines(world_text(), "lanemalloc: LANEMALLOC_CONF: ");
	must(nr_lines == (r->nr_warnings < CONFIG_WARNINGS_MOST ?
				  r->nr_warnings :
				  CONFIG_WARNINGS_MOST));
	check_print();
	world_set_id(0);
	work();
	must(!*world_text());
}
