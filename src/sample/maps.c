/* layer 4.8: maps: where the process's code is mapped; contract in maps.h */
#include "sample/maps.h"

#include <elf.h>

#include "base/bits.h"
#include "system/files.h"
#include "system/peek.h"

#define HEADERS_MOST 16
#define NOTES_SIZE 512

int maps_open(struct maps *maps)
{
	maps->fd = system_open("/proc/self/maps");
	maps->at = maps->end = 0;
	maps->file_begin = 0;
	return maps->fd < 0 ? maps->fd : 0;
}

void maps_close(struct maps *maps)
{
	system_close(maps->fd);
}

/* Moves what is left to the front and reads more. False: there is no more. */
static bool maps_fill(struct maps *maps)
{
	size_t left = maps->end - maps->at;
	long n;

	__builtin_memmove(maps->text, maps->text + maps->at, left);
	maps->at = 0;
	maps->end = left;
	n = system_read(maps->fd, maps->text + left, MAPS_LINE - left);
	if (n <= 0)
		return false;
	maps->end += (size_t)n;
	return true;
}

/* Returns the next line, its end a NUL; NULL: there is none. */
static char *maps_line(struct maps *maps)
{
	size_t i = maps->at;
	char *line;

	for (;; i++) {
		if (i == maps->end) {
			i -= maps->at;
			if (!maps_fill(maps))
				return NULL;
		}
		if (maps->text[i] == '\n')
			break;
	}
	maps->text[i] = '\0';
	line = maps->text + maps->at;
	maps->at = i + 1;
	return line;
}

static uint64_t hex_read(const char **at)
{
	uint64_t value = 0;
	char c;

	for (;; (*at)++) {
		c = **at;
		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return value;
	}
}

/* Goes behind the next blanks. */
static const char *word_skip(const char *at)
{
	while (*at && *at != ' ')
		at++;
	while (*at == ' ')
		at++;
	return at;
}

/* begin-end rwxp offset device inode path */
bool maps_next(struct maps *maps, struct mapping *mapping)
{
	const char *at = maps_line(maps);

	if (!at)
		return false;
	mapping->begin = hex_read(&at);
	at += *at == '-';
	mapping->end = hex_read(&at);
	at = word_skip(at);
	mapping->code = at[0] && at[1] && at[2] == 'x';
	at = word_skip(at);
	mapping->offset = hex_read(&at);
	at = word_skip(word_skip(word_skip(at)));
	mapping->name = at;
	if (!mapping->offset)
		maps->file_begin = mapping->begin;
	return true;
}

static void hex_write(char *text, const unsigned char *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}

/* Looks through notes: name size, size, type, the name, the bytes. */
static bool note_find(const unsigned char *notes, size_t size, char *text)
{
	Elf64_Nhdr head;
	size_t name, bytes, at = 0;

	while (at + sizeof(head) <= size) {
		__builtin_memcpy(&head, notes + at, sizeof(head));
		name = at + sizeof(head);
		bytes = name + round_up(head.n_namesz, 4);
		if (head.n_namesz > size || head.n_descsz > size ||
		    bytes + head.n_descsz > size)
			return false;
		if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 &&
		    !__builtin_memcmp(notes + name, "GNU", 4) &&
		    head.n_descsz <= BUILD_ID_MOST) {
			hex_write(text, notes + bytes, head.n_descsz);
			return true;
		}
		at = bytes + round_up(head.n_descsz, 4);
	}
	return false;
}

/* The file may be unmapped at any time: nothing is loaded. */
bool maps_build_id(const struct maps *maps, char text[2 * BUILD_ID_MOST + 1])
{
	const char *file = (const char *)(uintptr_t)maps->file_begin;
	Elf64_Phdr headers[HEADERS_MOST], *load = NULL;
	unsigned char notes[NOTES_SIZE];
	Elf64_Ehdr head;
	unsigned i, n;

	if (system_peek(&head, file, sizeof(head)) < sizeof(head) ||
	    __builtin_memcmp(head.e_ident, ELFMAG, SELFMAG) ||
	    head.e_phentsize != sizeof(headers[0]))
		return false;
	n = head.e_phnum < HEADERS_MOST ? head.e_phnum : HEADERS_MOST;
	n = (unsigned)(system_peek(headers, file + head.e_phoff,
				   n * sizeof(headers[0])) /
		       sizeof(headers[0]));
	for (i = 0; i < n; i++) {
		if (headers[i].p_type == PT_LOAD && !load)
			load = &headers[i];
		if (headers[i].p_type != PT_NOTE || !load)
			continue;
		if (note_find(
			    notes,
			    system_peek(
				    notes,
				    file + headers[i].p_vaddr -
					    (load->p_vaddr - load->p_offset),
				    min_size(NOTES_SIZE, headers[i].p_filesz)),
			    text))
			return true;
	}
	return false;
}
