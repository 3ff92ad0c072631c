/* growth: realloc, up and down; vectors that grow by half */
#include "load.h"

#include <stdlib.h>

#define LADDERS 4
#define LADDER_LOW 16
#define LADDER_HIGH (1 << 20)
#define VECTORS 256
#define VECTOR_MOST 2048

struct buffer {
	void *block;
	size_t size;
	size_t element;	/* of a vector: bytes of an element */
	size_t most;	/* of a vector: it ends at this size */
	bool shrinks;	/* of a ladder */
};

static void buffer_resize(const struct run *run, struct buffer *buffer,
			  size_t size)
{
	if (!buffer->block) {
		buffer->block = load_get(run, size);
	} else {
		buffer->block = load_resize(run, buffer->block, buffer->size,
					    size);
		/* What a program appends is written. */
		if (!run->verify)
			load_pages(buffer->block, buffer->size, size);
	}
	buffer->size = size;
}

static void buffer_drop(const struct run *run, struct buffer *buffer)
{
	if (buffer->block)
		load_put(run, buffer->block, buffer->size);
	buffer->block = NULL;
	buffer->size = 0;
}

/* A step is a factor of 1 1/8 to 2, up to the top and down again. */
static void ladder_step(struct worker *worker, struct buffer *buffer)
{
	size_t eighths = load_between(worker, 9, 16);
	size_t size = buffer->size;

	if (!buffer->block) {
		buffer->shrinks = false;
		size = LADDER_LOW;
	} else if (!buffer->shrinks) {
		size = size * eighths / 8;
		buffer->shrinks = size >= LADDER_HIGH;
	} else {
		size = size * 8 / eighths;
	}
	if (size > LADDER_HIGH)
		size = LADDER_HIGH;
	buffer_resize(worker->run, buffer, size);
	if (buffer->shrinks && size <= LADDER_LOW)
		buffer_drop(worker->run, buffer);
}

static void ladder_body(struct worker *worker)
{
	struct buffer buffers[LADDERS] = { { NULL, 0, 0, 0, false } };

	for (unsigned long i = 0; i < worker->operations; i++)
		ladder_step(worker, &buffers[i % LADDERS]);
	for (unsigned i = 0; i < LADDERS; i++)
		buffer_drop(worker->run, &buffers[i]);
}

static void vector_step(struct worker *worker, struct buffer *vector)
{
	size_t nr;

	if (!vector->block) {
		vector->element = load_between(worker, 1, 8) * 8;
		vector->most = vector->element *
			load_skewed(worker, 4, VECTOR_MOST);
		buffer_resize(worker->run, vector, vector->element);
		return;
	}
	nr = vector->size / vector->element;
	buffer_resize(worker->run, vector,
		      (nr + nr / 2 + 1) * vector->element);
	if (vector->size >= vector->most)
		buffer_drop(worker->run, vector);
}

static void vectors_body(struct worker *worker)
{
	size_t bytes = VECTORS * sizeof(struct buffer);
	struct buffer *vectors = load_table(bytes);

	for (unsigned long i = 0; i < worker->operations; i++)
		vector_step(worker, &vectors[load_below(worker, VECTORS)]);
	for (unsigned i = 0; i < VECTORS; i++)
		buffer_drop(worker->run, &vectors[i]);
	load_table_free(vectors, bytes);
}

LOAD(realloc_ladder) = {
	.name = "realloc-ladder",
	.about = "4 buffers grown by realloc from 16 B to 1 MiB and shrunk "
		 "(expanding, contracting tables: Cormen et al., 17.4)",
	.parallel = true, .operations = 20000, .body = ladder_body
};

LOAD(vectors) = {
	.name = "vectors",
	.about = "256 vectors of unlike elements, each grown by half "
		 "(growth by 1.5: Facebook's folly, FBVector)",
	.parallel = true, .operations = 1200000, .body = vectors_body
};
