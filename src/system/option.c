/* layer 1.5: option: one option of the table, its name and value as a text;
 * contract in option.h */
#include "system/option.h"

#include "system/report.h"

/* clang-format off */
#define CONFIG_WORD(value, word) word,
/* A bool's value is the last bit of its word's index. */
static const char *const words_bool[] = { "0",    "1",  "off", "on", "false",
					  "true", "no", "yes", NULL };
static const char *const words_index[] = { CONFIG_CHOICE_index(CONFIG_WORD)
						   NULL };
static const char *const words_numa[] = { CONFIG_CHOICE_numa(CONFIG_WORD)
						  NULL };
static const char *const words_hugepage[] = { CONFIG_CHOICE_hugepage(
	CONFIG_WORD) NULL };
static const char *const words_large_guard[] = {
	CONFIG_CHOICE_large_guard(CONFIG_WORD) NULL
};
static const char *const words_mte[] = { CONFIG_CHOICE_mte(CONFIG_WORD) NULL };
static const char *const words_usable[] = { CONFIG_CHOICE_usable(CONFIG_WORD)
						    NULL };
static const char *const words_checks[] = { CONFIG_CHOICE_checks(CONFIG_WORD)
						    NULL };
static const char *const words_limit[] = { CONFIG_CHOICE_limit(CONFIG_WORD)
						   NULL };
static const char *const words_profile_form[] = {
	CONFIG_CHOICE_profile_form(CONFIG_WORD) NULL
};
#undef CONFIG_WORD
/* clang-format on */

#define OPTION_BOOL CONFIG_BOOL, words_bool
#define OPTION_NUMBER CONFIG_NUMBER, NULL
#define OPTION_TEXT CONFIG_TEXT, NULL
#define OPTION_CHOICE_index CONFIG_CHOICE, words_index
#define OPTION_CHOICE_numa CONFIG_CHOICE, words_numa
#define OPTION_CHOICE_hugepage CONFIG_CHOICE, words_hugepage
#define OPTION_CHOICE_large_guard CONFIG_CHOICE, words_large_guard
#define OPTION_CHOICE_mte CONFIG_CHOICE, words_mte
#define OPTION_CHOICE_usable CONFIG_CHOICE, words_usable
#define OPTION_CHOICE_checks CONFIG_CHOICE, words_checks
#define OPTION_CHOICE_limit CONFIG_CHOICE, words_limit
#define OPTION_CHOICE_profile_form CONFIG_CHOICE, words_profile_form

#define OPTION(name, kind, value, least, most, help) \
	{ #name, OPTION_##kind, value, least, most, help },
const struct config_option config_options[NR_CONFIG_OPTIONS] = { CONFIG_OPTIONS(
	OPTION) };
#undef OPTION

static bool slice_is(struct slice slice, const char *word)
{
	size_t i;

	for (i = 0; i < slice.length; i++) {
		if (slice.at[i] != word[i])
			return false;
	}
	return word[i] == '\0';
}

/* Finds the index of the word, or -1. */
static int find_word(const char *const *words, struct slice slice)
{
	int i;

	for (i = 0; words[i]; i++) {
		if (slice_is(slice, words[i]))
			return i;
	}
	return -1;
}

static unsigned suffix_shift(char c)
{
	switch (c) {
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	}
	return 0;
}

/* Takes the suffix off. */
static unsigned cut_suffix(struct slice *slice)
{
	unsigned shift = 0;

	if (slice->length)
		shift = suffix_shift(slice->at[slice->length - 1]);
	if (shift)
		slice->length--;
	return shift;
}

/* Reads a number; false: it is none. What 64 bits do not hold becomes
 * UINT64_MAX, which is out of every range. */
static bool read_number(struct slice slice, uint64_t *out)
{
	unsigned shift = cut_suffix(&slice);
	uint64_t value = 0;
	bool fits = true;
	size_t i;

	for (i = 0; i < slice.length; i++) {
		if (slice.at[i] < '0' || slice.at[i] > '9')
			return false;
		fits &= !__builtin_mul_overflow(value, 10, &value);
		fits &= !__builtin_add_overflow(value, slice.at[i] - '0',
						&value);
	}
	fits &= value <= UINT64_MAX >> shift;
	*out = fits ? value << shift : UINT64_MAX;
	return slice.length > 0;
}

/* What texts were given, for ever; racing threads write the same. */
static char texts[NR_CONFIG_OPTIONS][CONFIG_TEXT_MOST + 1];

/* Keeps a text; false: it is too long. */
static bool read_text(const struct config_option *option, struct slice slice,
		      uint64_t *out)
{
	char *text = texts[option - config_options];

	if (slice.length > option->most)
		return false;
	__builtin_memcpy(text, slice.at, slice.length);
	text[slice.length] = '\0';
	*out = slice.length ? (uintptr_t)text : 0;
	return true;
}

/* Says why a value does not do, as the end of a warning. */
void option_expected(char *buf, size_t size, const struct config_option *option)
{
	int i, n;

	if (option->kind == CONFIG_NUMBER) {
		report_format(buf, size,
			      "a number from %lu to %lu (k, m, g may follow)",
			      option->least, option->most);
		return;
	}
	if (option->kind == CONFIG_TEXT) {
		report_format(buf, size, "a text of at most %lu bytes",
			      option->most);
		return;
	}
	n = report_format(buf, size, "one of");
	for (i = 0; option->words[i] && (size_t)n < size; i++)
		n += report_format(buf + n, size - (size_t)n, " %s",
				   option->words[i]);
}

bool option_read(const struct config_option *option, struct slice text,
		 uint64_t *out)
{
	int word;

	if (option->kind == CONFIG_NUMBER)
		return read_number(text, out) && *out >= option->least &&
		       *out <= option->most;
	if (option->kind == CONFIG_TEXT)
		return read_text(option, text, out);
	word = find_word(option->words, text);
	*out = option->kind == CONFIG_BOOL ? (uint64_t)word & 1 :
					     (uint64_t)word;
	return word >= 0;
}

int option_find(struct slice key)
{
	int i;

	for (i = 0; i < NR_CONFIG_OPTIONS; i++) {
		if (slice_is(key, config_options[i].name))
			return i;
	}
	return -1;
}
