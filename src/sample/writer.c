/* layer 4.8: writer: bytes to a file; contract in writer.h */
#include "sample/writer.h"

#include "base/bits.h"
#include "system/files.h"
#include "system/report.h"

#define FORMAT_SIZE 128

static const char gzip_head[10] = { 0x1f, (char)0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };
static const char gzip_last[WRITER_HEAD] = { 1, 0, 0, (char)0xff, (char)0xff };

/* CRC-32 of each half byte. */
static const uint32_t crc_table[16] = {
	0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
	0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
	0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

static uint32_t crc_of(uint32_t crc, const char *bytes, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		crc ^= (unsigned char)bytes[i];
		crc = crc >> 4 ^ crc_table[crc & 15];
		crc = crc >> 4 ^ crc_table[crc & 15];
	}
	return crc;
}

static void put_number(char *at, uint64_t value, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		at[i] = (char)(value >> 8 * i);
}

static void write_raw(struct writer *w, const char *bytes, size_t size)
{
	if (!w->error)
		w->error = system_write(w->fd, bytes, size);
}

static void writer_flush(struct writer *w)
{
	char *data = w->buf + WRITER_HEAD;

	if (!w->nr)
		return;
	if (w->gzip) {
		w->crc = crc_of(w->crc, data, w->nr);
		w->size += (uint32_t)w->nr;
		w->buf[0] = 0;
		put_number(w->buf + 1, w->nr, 2);
		put_number(w->buf + 3, ~w->nr, 2);
		write_raw(w, w->buf, WRITER_HEAD + w->nr);
	} else {
		write_raw(w, data, w->nr);
	}
	w->nr = 0;
}

void writer_open(struct writer *w, int fd, bool gzip)
{
	w->fd = fd;
	w->error = 0;
	w->gzip = gzip;
	w->crc = UINT32_MAX;
	w->size = 0;
	w->nr = 0;
	if (gzip)
		write_raw(w, gzip_head, sizeof(gzip_head));
}

void writer_put(struct writer *w, const void *bytes, size_t size)
{
	const char *from = bytes;
	size_t n;

	while (size) {
		if (w->nr == sizeof(w->buf) - WRITER_HEAD)
			writer_flush(w);
		n = min_size(size, sizeof(w->buf) - WRITER_HEAD - w->nr);
		__builtin_memcpy(w->buf + WRITER_HEAD + w->nr, from, n);
		w->nr += n;
		from += n;
		size -= n;
	}
}

void writer_text(struct writer *w, const char *text)
{
	writer_put(w, text, __builtin_strlen(text));
}

void writer_format(struct writer *w, const char *fmt, ...)
{
	char text[FORMAT_SIZE];
	va_list args;
	int n;

	va_start(args, fmt);
	n = report_vformat(text, sizeof(text), fmt, args);
	va_end(args);
	writer_put(w, text, min_size((size_t)n, sizeof(text) - 1));
}

int writer_close(struct writer *w)
{
	char tail[8];

	writer_flush(w);
	if (!w->gzip)
		return w->error;
	put_number(tail, ~w->crc, 4);
	put_number(tail + 4, w->size, 4);
	write_raw(w, gzip_last, sizeof(gzip_last));
	write_raw(w, tail, sizeof(tail));
	return w->error;
}
