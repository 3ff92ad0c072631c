/* shared: the mapping that the driver shares with its servers, and a file that
 * it may be, with which an interrupted sweep goes on
 */
#include "options.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct shared *shared;

void *shared_memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		die("no shared memory");
	return at;
}

uint8_t *shared_reached(unsigned scenario)
{
	uint32_t nr = shared->nr_instructions;

	return (uint8_t *)(shared->results + nr) + (size_t)scenario * nr;
}

static void *shared_text(void)
{
	uintptr_t end = (uintptr_t)shared_reached(NR_SCENARIOS_MOST);

	return (void *)((end + 15) & ~(uintptr_t)15);
}

static uint32_t names_size(void)
{
	const char *last = text.names + text.all[text.nr - 1].name;

	return (uint32_t)(last + strlen(last) + 1 - text.names);
}

static uint64_t stamp_add(uint64_t stamp, const void *data, size_t size)
{
	const unsigned char *at = data;

	while (size--)
		stamp = (stamp ^ *at++) * 0x100000001b3;
	return stamp;
}

/* The same library, options and instructions. */
static uint64_t stamp_make(const struct settings *settings)
{
	uint64_t stamp = 0xcbf29ce484222325;
	char buf[4096];
	size_t n;
	FILE *f = fopen(options.library, "re");

	while (f && (n = fread(buf, 1, sizeof(buf), f)))
		stamp = stamp_add(stamp, buf, n);
	if (f)
		fclose(f);
	stamp = stamp_add(stamp, settings, sizeof(*settings));
	stamp = stamp_add(stamp, &(size_t){ sizeof(*shared) }, sizeof(size_t));
	stamp = stamp_add(stamp, options.modes, strlen(options.modes));
	stamp = stamp_add(stamp, options.hits, strlen(options.hits));
	return stamp_add(stamp, text.all, text.nr * sizeof(*text.all));
}

/* Zeros, or what an interrupted sweep left. */
static void shared_map(size_t size)
{
	options.fd = options.state ? open(options.state, O_RDWR | O_CREAT, 0666)
				   : memfd_create("sweep", 0);
	if (options.fd < 0 || ftruncate(options.fd, (off_t)size))
		die("cannot write %s",
		    options.state ? options.state : "shared memory");
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      options.fd, 0);
	if (shared == MAP_FAILED)
		die("no shared memory");
}

bool shared_make(const struct settings *settings)
{
	size_t list = text.nr * sizeof(*text.all);
	size_t size =
		sizeof(*shared) + list + names_size() + 64 +
		(size_t)text.nr * (sizeof(struct result) + NR_SCENARIOS_MOST);
	uint64_t stamp = stamp_make(settings);

	shared_map(size);
	atomic_store(&shared->interrupted, 0);
	if (shared->stamp == stamp)
		return true;
	memset(shared, 0, size);
	shared->stamp = stamp;
	shared->settings = *settings;
	shared->nr_instructions = text.nr;
	shared->names_size = names_size();
	memcpy(shared_text(), text.all, list);
	memcpy((char *)shared_text() + list, text.names, names_size());
	return false;
}

void shared_join(void)
{
	off_t size = lseek(options.fd, 0, SEEK_END);

	shared = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      options.fd, 0);
	if (shared == MAP_FAILED)
		die("no shared memory");
	text.nr = shared->nr_instructions;
	text.all = shared_text();
	text.names = (char *)(text.all + text.nr);
}
