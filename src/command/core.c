/* layer 7.1: core: a core file as an image; contract in core.h */
#include "command/core.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RANGES_MOST 65536

/* `size` bytes at an offset of the file; NULL: it has them not. */
static const void *file_at(const struct image *image, uint64_t offset,
			   uint64_t size)
{
	if (offset > image->core_size || size > image->core_size - offset)
		return NULL;
	return image->core + offset;
}

static bool core_map(struct image *image, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *at;

	if (fd < 0 || fstat(fd, &st))
		return image_fails(
			image, "%s: %s%s", path, strerror(errno),
			strchr(path, '/') ? "" : ", and no process's number");
	at = st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ,
				   MAP_PRIVATE, fd, 0) :
			      MAP_FAILED;
	close(fd);
	if (at == MAP_FAILED)
		return image_fails(image, "%s: cannot be mapped", path);
	image->core = at;
	image->core_size = (size_t)st.st_size;
	return true;
}

static int compare_segments(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	return (x->begin > y->begin) - (x->begin < y->begin);
}

static void segment_add(struct image *image, const Elf64_Phdr *ph)
{
	struct segment *s = &image->segments[image->nr_segments];
	uint64_t size = ph->p_filesz;

	if (ph->p_offset > image->core_size)
		return;
	if (size > image->core_size - ph->p_offset)
		size = image->core_size - ph->p_offset;
	if (!size || ph->p_vaddr + size < ph->p_vaddr)
		return;
	s->begin = ph->p_vaddr;
	s->end = ph->p_vaddr + size;
	s->contents = image->core + ph->p_offset;
	image->nr_segments++;
}

/* Files, as NT_FILE has them: a count, the page size, triples of begin, end
 * and page offset, and the names, one after the other. */
static void files_read(struct image *image, const char *desc, size_t size)
{
	const char *name, *end = desc + size;
	uint64_t head[2], triple[3], n;

	if (size < sizeof(head))
		return;
	memcpy(head, desc, sizeof(head));
	n = head[0];
	if (n > RANGES_MOST || n > (size - sizeof(head)) / sizeof(triple))
		return;
	image->ranges = calloc(n ? n : 1, sizeof(*image->ranges));
	name = desc + sizeof(head) + n * sizeof(triple);
	for (uint64_t i = 0; image->ranges && i < n && name < end; i++) {
		struct range *r = &image->ranges[i];

		memcpy(triple, desc + sizeof(head) + i * sizeof(triple),
		       sizeof(triple));
		r->begin = triple[0];
		r->end = triple[1];
		r->offset = triple[2] * head[1];
		r->private = true;
		r->path = strndup(name, (size_t)(end - name));
		if (!r->path)
			return;
		name += strlen(r->path) + 1;
		image->nr_ranges++;
	}
}

static void status_read(struct image *image, const char *desc, size_t size)
{
	struct {
		char head[40];
		char name[16];
	} info;

	if (size < sizeof(info) || image->comm[0])
		return;
	memcpy(&info, desc, sizeof(info));
	memcpy(image->comm, info.name, sizeof(info.name));
	for (char *c = image->comm; *c; c++)
		if (*c < ' ')
			*c = '.';
}

static void note_read(struct image *image, uint32_t type, const char *desc,
		      size_t size)
{
	if (type == NT_FILE && !image->ranges)
		files_read(image, desc, size);
	else if (type == NT_PRPSINFO)
		status_read(image, desc, size);
}

static void notes_read(struct image *image, const Elf64_Phdr *ph)
{
	const char *at = file_at(image, ph->p_offset, ph->p_filesz);
	uint64_t left = ph->p_filesz, name, desc;
	Elf64_Nhdr head;

	while (at && left >= sizeof(head)) {
		memcpy(&head, at, sizeof(head));
		at += sizeof(head);
		left -= sizeof(head);
		name = ((uint64_t)head.n_namesz + 3) & ~3ull;
		desc = ((uint64_t)head.n_descsz + 3) & ~3ull;
		if (name > left || desc > left - name)
			return;
		note_read(image, head.n_type, at + name, head.n_descsz);
		at += name + desc;
		left -= name + desc;
	}
}

static bool is_core(const Elf64_Ehdr *eh)
{
	return !memcmp(eh->e_ident, ELFMAG, SELFMAG) &&
	       eh->e_ident[EI_CLASS] == ELFCLASS64 && eh->e_type == ET_CORE &&
	       eh->e_phentsize == sizeof(Elf64_Phdr);
}

bool core_open(struct image *image, const char *path)
{
	const Elf64_Ehdr *eh;
	const char *at;
	Elf64_Phdr ph;

	if (!core_map(image, path))
		return false;
	eh = file_at(image, 0, sizeof(*eh));
	if (!eh || !is_core(eh))
		return image_fails(image, "%s: no core file of 64 bits", path);
	at = file_at(image, eh->e_phoff,
		     (uint64_t)eh->e_phnum * sizeof(Elf64_Phdr));
	image->segments = calloc(eh->e_phnum + 1u, sizeof(struct segment));
	if (!at || !image->segments)
		return image_fails(image, "%s: its headers are cut off", path);
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		memcpy(&ph, at + i * sizeof(ph), sizeof(ph));
		if (ph.p_type == PT_LOAD)
			segment_add(image, &ph);
		else if (ph.p_type == PT_NOTE)
			notes_read(image, &ph);
	}
	qsort(image->segments, image->nr_segments, sizeof(struct segment),
	      compare_segments);
	return true;
}

void core_close(struct image *image)
{
	if (image->core)
		munmap((void *)image->core, image->core_size);
	image->core = NULL;
}

/* The last segment that begins at the address or before; NULL: none. */
static const struct segment *segment_of(struct image *image, uint64_t address)
{
	size_t low = 0, high = image->nr_segments, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (image->segments[middle].begin <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &image->segments[low - 1] : NULL;
}

/* What the core left out, as it is in its file. */
static size_t file_read(struct image *image, uint64_t address, void *buf,
			size_t size)
{
	const struct range *r = NULL;
	ssize_t n;
	int fd;

	for (size_t i = 0; i < image->nr_ranges && !r; i++)
		if (address >= image->ranges[i].begin &&
		    address < image->ranges[i].end)
			r = &image->ranges[i];
	fd = r ? open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	if (fd < 0)
		return 0;
	if (size > r->end - address)
		size = r->end - address;
	n = pread(fd, buf, size, (off_t)(r->offset + (address - r->begin)));
	close(fd);
	return n > 0 ? (size_t)n : 0;
}

size_t core_read(struct image *image, uint64_t address, void *buf, size_t size)
{
	size_t done = 0, n;

	while (done < size) {
		uint64_t at = address + done;
		const struct segment *s = segment_of(image, at);

		if (!s || at >= s->end)
			return done + file_read(image, at, (char *)buf + done,
						size - done);
		n = s->end - at < size - done ? s->end - at : size - done;
		memcpy((char *)buf + done, s->contents + (at - s->begin), n);
		done += n;
	}
	return done;
}
