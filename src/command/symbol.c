/* layer 7.1: symbol: names in an ELF file; contract in symbol.h */
#include "command/symbol.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const void *file_at(const struct elf_file *file, uint64_t offset,
			   uint64_t size)
{
	if (offset > file->size || size > file->size - offset)
		return NULL;
	return file->contents + offset;
}

static const Elf64_Ehdr *header(const struct elf_file *file)
{
	const Elf64_Ehdr *eh = file_at(file, 0, sizeof(*eh));

	if (!eh || memcmp(eh->e_ident, ELFMAG, SELFMAG) ||
	    eh->e_ident[EI_CLASS] != ELFCLASS64)
		return NULL;
	return eh;
}

static bool program_header(const struct elf_file *file, unsigned i,
			   Elf64_Phdr *out)
{
	const Elf64_Ehdr *eh = header(file);
	const void *at;

	if (!eh || i >= eh->e_phnum)
		return false;
	at = file_at(file, eh->e_phoff + i * sizeof(*out), sizeof(*out));
	if (at)
		memcpy(out, at, sizeof(*out));
	return at != NULL;
}

bool elf_address(const struct elf_file *file, uint64_t offset,
		 uint64_t *address)
{
	Elf64_Phdr ph;

	for (unsigned i = 0; program_header(file, i, &ph); i++) {
		if (ph.p_type != PT_LOAD || offset < ph.p_offset ||
		    offset - ph.p_offset >= ph.p_filesz)
			continue;
		*address = ph.p_vaddr + (offset - ph.p_offset);
		return true;
	}
	return false;
}

bool elf_open(struct elf_file *file, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	void *at = MAP_FAILED;
	struct stat st;
	Elf64_Phdr ph;

	*file = (struct elf_file){ .first = UINT64_MAX };
	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0)
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
			  0);
	if (fd >= 0)
		close(fd);
	if (at == MAP_FAILED)
		return false;
	file->contents = at;
	file->size = (size_t)st.st_size;
	for (unsigned i = 0; program_header(file, i, &ph); i++)
		if (ph.p_type == PT_LOAD && ph.p_vaddr < file->first)
			file->first = ph.p_vaddr;
	return true;
}

void elf_close(struct elf_file *file)
{
	if (file->contents)
		munmap((void *)file->contents, file->size);
	free(file->functions);
	file->functions = NULL;
	file->contents = NULL;
}

/* A table of symbols and the names that belong to it. */
struct table {
	const char *symbols, *names;
	uint64_t nr, names_size;
};

static bool section(const struct elf_file *file, uint64_t i, Elf64_Shdr *out)
{
	const Elf64_Ehdr *eh = header(file);
	const void *at;

	if (!eh || i >= eh->e_shnum)
		return false;
	at = file_at(file, eh->e_shoff + i * sizeof(*out), sizeof(*out));
	if (at)
		memcpy(out, at, sizeof(*out));
	return at != NULL;
}

/* The next table from section *i on. */
static bool table_next(const struct elf_file *file, uint64_t *i,
		       struct table *table)
{
	Elf64_Shdr sh, names;

	for (; section(file, *i, &sh); (*i)++) {
		if (sh.sh_type != SHT_SYMTAB && sh.sh_type != SHT_DYNSYM)
			continue;
		if (!section(file, sh.sh_link, &names))
			continue;
		table->symbols = file_at(file, sh.sh_offset, sh.sh_size);
		table->names = file_at(file, names.sh_offset, names.sh_size);
		table->nr = sh.sh_size / sizeof(Elf64_Sym);
		table->names_size = names.sh_size;
		if (!table->symbols || !table->names || !table->names_size ||
		    table->names[table->names_size - 1])
			continue;
		(*i)++;
		return true;
	}
	return false;
}

static const char *symbol_at(const struct table *table, uint64_t i,
			     Elf64_Sym *symbol)
{
	memcpy(symbol, table->symbols + i * sizeof(*symbol), sizeof(*symbol));
	if (symbol->st_name >= table->names_size ||
	    symbol->st_shndx == SHN_UNDEF)
		return NULL;
	return table->names + symbol->st_name;
}

bool elf_find(const struct elf_file *file, const char *name, uint64_t *value)
{
	struct table table;
	uint64_t i = 0;
	Elf64_Sym symbol;
	const char *text;

	while (table_next(file, &i, &table))
		for (uint64_t k = 0; k < table.nr; k++) {
			text = symbol_at(&table, k, &symbol);
			if (!text || strcmp(text, name))
				continue;
			*value = symbol.st_value;
			return true;
		}
	return false;
}

static int compare(const void *a, const void *b)
{
	const struct elf_named *x = a, *y = b;

	return (x->begin > y->begin) - (x->begin < y->begin);
}

static bool function_add(struct elf_file *file, const Elf64_Sym *symbol,
			 const char *name)
{
	size_t n = file->nr_functions;
	struct elf_named *f = file->functions;

	if (!(n & (n - 1)))
		f = realloc(f, (n ? 2 * n : 1) * sizeof(*f));
	if (!f)
		return false;
	file->functions = f;
	f[n] = (struct elf_named){ symbol->st_value, symbol->st_size, name };
	file->nr_functions++;
	return true;
}

static void functions_read(struct elf_file *file)
{
	struct table table;
	uint64_t i = 0;
	Elf64_Sym symbol;

	while (table_next(file, &i, &table))
		for (uint64_t k = 0; k < table.nr; k++) {
			const char *text = symbol_at(&table, k, &symbol);
			unsigned type = ELF64_ST_TYPE(symbol.st_info);

			if (!text || !symbol.st_size ||
			    (type != STT_FUNC && type != STT_GNU_IFUNC))
				continue;
			if (!function_add(file, &symbol, text))
				return;
		}
	if (file->nr_functions)
		qsort(file->functions, file->nr_functions,
		      sizeof(struct elf_named), compare);
}

const char *elf_function(struct elf_file *file, uint64_t address,
			 uint64_t *offset)
{
	size_t low = 0, high, middle;
	const struct elf_named *f;

	if (!file->functions)
		functions_read(file);
	high = file->nr_functions;
	while (low < high) {
		middle = (low + high) / 2;
		if (file->functions[middle].begin <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	f = &file->functions[low - 1];
	*offset = address - f->begin;
	return *offset < f->size ? f->name : NULL;
}
