/* layer 7.1: image: the memory of a process or of a core; contract in image.h
 */
#include "command/image.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "command/core.h"
#include "command/process.h"

#define PIECES_MOST 512

static bool is_number(const char *name)
{
	return *name && strlen(name) < 10 &&
	       name[strspn(name, "0123456789")] == '\0';
}

bool image_open(struct image *image, const char *name)
{
	memset(image, 0, sizeof(*image));
	image->mem = -1;
	if (!is_number(name))
		return core_open(image, name);
	image->pid = atoi(name);
	return process_open(image);
}

static void ranges_free(struct image *image)
{
	for (size_t i = 0; i < image->nr_ranges; i++)
		free(image->ranges[i].path);
	free(image->ranges);
	image->ranges = NULL;
	image->nr_ranges = 0;
}

bool image_read_ranges(struct image *image)
{
	if (!image->pid)
		return true;
	ranges_free(image);
	return process_read_ranges(image);
}

void image_close(struct image *image)
{
	ranges_free(image);
	if (image->mem >= 0)
		close(image->mem);
	core_close(image);
	free(image->segments);
	image->segments = NULL;
}

bool image_read(struct image *image, uint64_t address, void *buf, size_t size)
{
	struct piece piece = { address, size };

	return image_read_pieces(image, &piece, 1, buf) == size;
}

/* One call for so many; how many bytes were read, from the first on. */
static size_t pieces_try(struct image *image, const struct piece *pieces,
			 size_t nr, char *buf, size_t size)
{
	struct iovec local = { buf, size }, remote[PIECES_MOST];
	ssize_t n;

	if (image->mem >= 0 || size == 0)
		return 0;
	for (size_t i = 0; i < nr; i++)
		remote[i] = (struct iovec){ (void *)pieces[i].address,
					    pieces[i].size };
	n = process_vm_readv(image->pid, &local, 1, remote, nr, 0);
	return n > 0 ? (size_t)n : 0;
}

static size_t piece_read(struct image *image, const struct piece *piece,
			 char *buf)
{
	ssize_t n;

	if (!image->pid)
		return core_read(image, piece->address, buf, piece->size);
	if (image->mem < 0)
		return pieces_try(image, piece, 1, buf, piece->size);
	n = pread(image->mem, buf, piece->size, (off_t)piece->address);
	return n > 0 ? (size_t)n : 0;
}

static size_t pieces_read(struct image *image, const struct piece *pieces,
			  size_t nr, char *buf)
{
	size_t size = 0, done = 0, n;

	for (size_t i = 0; i < nr; i++)
		size += pieces[i].size;
	if (image->pid && nr > 1 &&
	    pieces_try(image, pieces, nr, buf, size) == size)
		return size;
	for (size_t i = 0; i < nr; i++) {
		n = piece_read(image, &pieces[i], buf);
		memset(buf + n, 0, pieces[i].size - n);
		buf += pieces[i].size;
		done += n;
	}
	return done;
}

size_t image_read_pieces(struct image *image, const struct piece *pieces,
			 size_t nr, void *buf)
{
	size_t done = 0, n;
	char *at = buf;

	while (nr) {
		n = nr < PIECES_MOST ? nr : PIECES_MOST;
		done += pieces_read(image, pieces, n, at);
		for (size_t i = 0; i < n; i++)
			at += pieces[i].size;
		pieces += n;
		nr -= n;
	}
	return done;
}

bool image_read_text(struct image *image, uint64_t address, char *buf,
		     size_t size)
{
	struct piece piece = { address, size - 1 };
	size_t n = address ? image_read_pieces(image, &piece, 1, buf) : 0;

	buf[n] = '\0';
	for (char *c = buf; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '.';
	return n > 0;
}

bool image_write(struct image *image, uint64_t address, const void *buf,
		 size_t size)
{
	struct iovec local = { (void *)buf, size };
	struct iovec remote = { (void *)address, size };

	if (!image->pid)
		return image_fails(image, "a core is not written to");
	if (process_vm_writev(image->pid, &local, 1, &remote, 1, 0) !=
	    (ssize_t)size)
		return image_fails(image, "cannot write to process %d: %s",
				   image->pid, strerror(errno));
	return true;
}
