/* layer 1.3: report: one-line messages, written without allocating
 *
 * No state: every function is wait-free (a write to stderr takes what it
 * takes) and may run anywhere, also at once with itself.
 */
#include "system/report.h"

#include <errno.h>

#include "system/system.h"

/* Where the text goes; length counts on when the buffer is full. The last byte
 * is the end's: a NUL or a newline takes its place. */
struct sink {
	char *buf;
	size_t size;
	size_t length;
};

static void put(struct sink *sink, char c)
{
	if (sink->length < sink->size)
		sink->buf[sink->length] = c;
	sink->length++;
}

/* At most `most` bytes of text. */
static void put_text(struct sink *sink, const char *text, size_t most)
{
	if (!text)
		text = "(null)";
	for (; most && *text; most--)
		put(sink, *text++);
}

static void put_number(struct sink *sink, uint64_t value, unsigned base)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		put(sink, digits[--n]);
}

static void put_signed(struct sink *sink, int64_t value)
{
	if (value < 0)
		put(sink, '-');
	put_number(sink, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

/* The part of a directive between '%' and the letter. */
enum directive_prefix { PREFIX_NONE, PREFIX_LONG, PREFIX_STAR };

static enum directive_prefix read_prefix(const char **fmt)
{
	const char *at = *fmt;

	if (at[0] == '.' && at[1] == '*') {
		*fmt = at + 2;
		return PREFIX_STAR;
	}
	while (*at == 'l' || *at == 'z')
		at++;
	*fmt = at;
	return at[-1] == 'l' || at[-1] == 'z' ? PREFIX_LONG : PREFIX_NONE;
}

/* va_list may be an array: wrapped, so that its address can be passed on. */
struct arguments {
	va_list list;
};

static uint64_t next_unsigned(struct arguments *args,
			      enum directive_prefix prefix)
{
	if (prefix == PREFIX_LONG)
		return va_arg(args->list, uint64_t);
	return va_arg(args->list, unsigned);
}

static int64_t next_signed(struct arguments *args, enum directive_prefix prefix)
{
	if (prefix == PREFIX_LONG)
		return va_arg(args->list, int64_t);
	return va_arg(args->list, int);
}

static void put_string(struct sink *sink, struct arguments *args,
		       enum directive_prefix prefix)
{
	size_t most = SIZE_MAX;
	int precision;

	if (prefix == PREFIX_STAR) {
		precision = va_arg(args->list, int);
		most = precision < 0 ? SIZE_MAX : (size_t)precision;
	}
	put_text(sink, va_arg(args->list, const char *), most);
}

/* False: no directive that we know. */
static bool put_directive(struct sink *sink, char letter,
			  enum directive_prefix prefix, struct arguments *args)
{
	if (prefix == PREFIX_STAR && letter != 's')
		return false;
	if (prefix == PREFIX_LONG && letter != 'd' && letter != 'u' &&
	    letter != 'x')
		return false;
	switch (letter) {
	case 'd':
		put_signed(sink, next_signed(args, prefix));
		return true;
	case 'u':
		put_number(sink, next_unsigned(args, prefix), 10);
		return true;
	case 'x':
		put_number(sink, next_unsigned(args, prefix), 16);
		return true;
	case 'p':
		put_text(sink, "0x", SIZE_MAX);
		put_number(sink, (uintptr_t)va_arg(args->list, void *), 16);
		return true;
	case 's':
		put_string(sink, args, prefix);
		return true;
	case 'c':
		put(sink, (char)va_arg(args->list, int));
		return true;
	case '%':
		put(sink, '%');
		return true;
	}
	return false;
}

static void put_format(struct sink *sink, const char *fmt,
		       struct arguments *args)
{
	enum directive_prefix prefix;
	const char *directive;

	while (*fmt) {
		if (*fmt != '%') {
			put(sink, *fmt++);
			continue;
		}
		directive = fmt++;
		prefix = read_prefix(&fmt);
		if (!put_directive(sink, *fmt, prefix, args)) {
			put_text(sink, directive, SIZE_MAX);
			return;
		}
		fmt++;
	}
}

int report_vformat(char *buf, size_t size, const char *fmt, va_list args)
{
	struct sink sink = { buf, size, 0 };
	struct arguments copy;

	va_copy(copy.list, args);
	put_format(&sink, fmt, &copy);
	va_end(copy.list);
	if (size)
		buf[sink.length < size ? sink.length : size - 1] = '\0';
	return (int)sink.length;
}

int report_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int length;

	va_start(args, fmt);
	length = report_vformat(buf, size, fmt, args);
	va_end(args);
	return length;
}

static void keep_on_one_line(char *text, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	}
}

/* The newline takes the place of the final NUL. */
size_t report_vbuild(char line[REPORT_LINE_SIZE], const char *fmt, va_list args)
{
	static const char name[] = "lanemalloc: ";
	struct sink sink = { line, REPORT_LINE_SIZE, 0 };
	struct arguments copy;

	va_copy(copy.list, args);
	put_text(&sink, name, SIZE_MAX);
	put_format(&sink, fmt, &copy);
	va_end(copy.list);
	if (sink.length > REPORT_LINE_SIZE - 1)
		sink.length = REPORT_LINE_SIZE - 1;
	keep_on_one_line(line, sink.length);
	line[sink.length++] = '\n';
	return sink.length;
}

static printf_like(1, 0) void report_vline(const char *fmt, va_list args)
{
	char line[REPORT_LINE_SIZE];

	system_write_stderr(line, report_vbuild(line, fmt, args));
}

void report_line(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report_vline(fmt, args);
	va_end(args);
}

#define ERRORS(X)                               \
	X(EPERM, "not permitted")               \
	X(ENOENT, "no such file or directory")  \
	X(ENXIO, "nobody reads it")             \
	X(EAGAIN, "not without waiting")        \
	X(EACCES, "permission denied")          \
	X(EEXIST, "it is there already")        \
	X(ENOTDIR, "no directory")              \
	X(EISDIR, "a directory")                \
	X(EINVAL, "no valid value")             \
	X(ENOSPC, "no space on the device")     \
	X(EFBIG, "the file is too large")       \
	X(EROFS, "read-only file system")       \
	X(ENAMETOOLONG, "the name is too long") \
	X(ENOMEM, "no memory")                  \
	X(EMFILE, "too many open files")        \
	X(EDQUOT, "the quota is used up")       \
	X(EBUSY, "the program uses it")         \
	X(ELOOP, "a symbolic link")             \
	X(ENODATA, "there is nothing")

const char *report_error(int error)
{
	switch (error) {
#define ERROR_TEXT(name, text) \
	case name:             \
		return text;
		ERRORS(ERROR_TEXT)
#undef ERROR_TEXT
	}
	return "";
}
