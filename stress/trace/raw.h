/* raw: what the recorder writes, and convert.py reads
 *
 * A header of a page, then chunks. A chunk belongs to one thread; its events
 * lie in it in the order in which they began. An event whose order is 0 was
 * never finished. The file is as long as it might have become, and sparse.
 */
#ifndef RAW_H
#define RAW_H

#include <stdatomic.h>
#include <stdint.h>

#define RAW_MAGIC 0x3130776172656e61
#define RAW_HEADER_SIZE 4096
#define RAW_CHUNK_SIZE (256 << 10)
#define RAW_FILE_SIZE (8ull << 30)

enum raw_op {
	RAW_ALLOC = 1, RAW_ZERO, RAW_ALIGNED, RAW_FREE,
	RAW_RESIZE,		/* realloc begins: the old block */
	RAW_RESIZED,		/* and ends: the new block, or 0 if it failed */
	RAW_END			/* the thread ends */
};

struct raw_event {
	atomic_ullong order;	/* of all threads, from 1; written last */
	uint64_t ns;		/* since the start */
	uint64_t block, size;
	uint8_t op, align_shift;
	uint8_t unused[6];
};

#define RAW_CHUNK_EVENTS \
	((RAW_CHUNK_SIZE - 64) / sizeof(struct raw_event))

struct raw_chunk {
	uint64_t thread;	/* from 0, in the order of first calls */
	atomic_uint nr;		/* slots that were taken */
	uint8_t unused[52];
	struct raw_event events[RAW_CHUNK_EVENTS];
};

struct raw_header {
	uint64_t magic, pid;
};

#endif
