/* layer 7.1: image: the memory of a process or of a core, to be read
 *
 * A process is read by process_vm_readv(), or where that is not there or not
 * allowed by /proc/PID/mem; a core by its segments. Nothing is written but by
 * image_write(), nothing stops the process, and what is not there (a hole, a
 * page that the core does not have, a process that ended) is a false result.
 * No length or address that was read is trusted here: segments are cut to the
 * core's size when it is opened.
 */
#ifndef LANE_COMMAND_IMAGE_H
#define LANE_COMMAND_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A range of addresses: of a process's maps, or of a core's segments. */
struct range {
	uint64_t begin, end;
	uint64_t offset; /* in its file */
	bool code;	 /* executable */
	bool private;	 /* a private mapping */
	char *path;	 /* "" where there is none */
};

struct segment {
	uint64_t begin, end;  /* of the core's memory */
	const char *contents; /* end - begin bytes */
};

struct image {
	pid_t pid;	/* 0: a core */
	uint64_t start; /* when the process was started, as the kernel counts:
			 * a number that is used again has another */
	int mem;	/* /proc/PID/mem; -1: not opened */
	const char *core;
	size_t core_size;
	struct segment *segments;
	size_t nr_segments;
	struct range *ranges;
	size_t nr_ranges;
	char comm[32];
	bool without_smaps; /* the kernel is not asked what is resident: it
			     * goes through all pages for that */
	char error[256];    /* why an operation failed, one line */
};

/* name: a process id, or a core's path. False: error says why. */
bool image_open(struct image *image, const char *name);
void image_close(struct image *image);

/* The process's mappings anew. False: it ended, or is another user's. */
bool image_read_ranges(struct image *image);

/* All of it or nothing that counts. */
bool image_read(struct image *image, uint64_t address, void *buf, size_t size);

struct piece {
	uint64_t address;
	size_t size;
};

/* Pieces side by side into buf; what cannot be read is zeros there. How many
 * bytes were. */
size_t image_read_pieces(struct image *image, const struct piece *pieces,
			 size_t nr, void *buf);

/* A text of at most size - 1 bytes; what is not printable is a point. */
bool image_read_text(struct image *image, uint64_t address, char *buf,
		     size_t size);

/* To a process. */
bool image_write(struct image *image, uint64_t address, const void *buf,
		 size_t size);

/* Writes why into error; false, to be returned. */
bool image_fails(struct image *image, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
