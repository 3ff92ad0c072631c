/* layer 7.1: symbol: names in an ELF file
 *
 * Section headers lead to the symbol tables, the full one and the loader's; a
 * file without them, or one that is no ELF file or cut off, has no symbols.
 * Everything is checked against the file's size.
 */
#ifndef LANE_COMMAND_SYMBOL_H
#define LANE_COMMAND_SYMBOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_named {
	uint64_t begin, size;
	const char *name;
};

struct elf_file {
	const char *contents;
	size_t size;
	uint64_t first;		     /* the lowest address of a segment in it */
	struct elf_named *functions; /* by address; made when one is asked */
	size_t nr_functions;
};

bool elf_open(struct elf_file *file, const char *path);
void elf_close(struct elf_file *file);

/* The address of an object of that name, as the file counts. */
bool elf_find(const struct elf_file *file, const char *name, uint64_t *value);

/* The function that an address lies in, and how far from its beginning; NULL:
 * none is known. The text is the file's. */
const char *elf_function(struct elf_file *file, uint64_t address,
			 uint64_t *offset);

/* From an offset in the file to an address as the file counts. */
bool elf_address(const struct elf_file *file, uint64_t offset,
		 uint64_t *address);

#endif
