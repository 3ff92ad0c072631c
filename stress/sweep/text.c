/* text: the instructions of the library under test, and its variables */
#include "sweep.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define INT3 0xcc
#define PAGE ((uintptr_t)4096)

struct text text;

/* Of the C start-up files, not of the library. */
static const char *const start_files[] = { "deregister_tm_clones",
					   "register_tm_clones",
					   "__do_global_dtors_aux",
					   "frame_dummy" };

/* The file, for its tables, and where the loader put it. */
static const char *image;
static struct {
	uintptr_t base, start, end; /* of the instructions that count */
	unsigned char *bytes;       /* of each instruction, its first */
	const ElfW(Dyn) * dynamic;
} lib;

static const ElfW(Ehdr) * header(void)
{
	return (const void *)image;
}

static void image_map(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die("cannot read %s", path);
	image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (image == MAP_FAILED)
		die("cannot map %s", path);
	close(fd);
}

/* ---- the list, by objdump ---- */

static uint32_t name_add(const char *name, size_t length)
{
	static size_t used, room;

	if (used + length + 1 > room) {
		room = 2 * (used + length + 1);
		text.names = realloc(text.names, room);
	}
	memcpy(text.names + used, name, length);
	text.names[used + length] = 0;
	used += length + 1;
	return (uint32_t)(used - length - 1);
}

static void instruction_add(unsigned long offset, uint32_t name, bool padding)
{
	static uint32_t room;

	if (text.nr == room) {
		room = room ? 2 * room : 4096;
		text.all = realloc(text.all, room * sizeof(*text.all));
	}
	text.all[text.nr++] = (struct instruction){ .offset = (uint32_t)offset,
						    .name = name,
						    .padding = padding };
}

static bool counts(const char *function)
{
	size_t i;

	for (i = 0; i < sizeof(start_files) / sizeof(*start_files); i++)
		if (!strcmp(function, start_files[i]))
			return false;
	return true;
}

static bool is_padding(const char *what)
{
	return strstr(what, "nop") || !strncmp(what, "xchg   %ax,%ax", 14) ||
	       !strncmp(what, "int3", 4);
}

/* The four bytes of an rseq signature stand behind these three, which make
 * an instruction of them that nobody executes. */
static bool is_signature(const char *what)
{
	return strstr(what, "ud1") && strstr(what, "0x53053053");
}

struct reading {
	bool section; /* of the library's own instructions */
	bool function;
	uint32_t name;
};

static void read_line(struct reading *r, char *line)
{
	char *end, *what;
	unsigned long at;

	line[strcspn(line, "\n")] = 0;
	if (!strncmp(line, "Disassembly of section ", 23)) {
		r->section = !strncmp(line + 23, ".text", 5) ||
			     !strncmp(line + 23, "__rseq", 6);
		return;
	}
	at = strtoul(line, &end, 16);
	if (!r->section || end == line)
		return;
	if (end[0] == ' ' && end[1] == '<') {
		end[strlen(end) - 2] = 0;
		r->function = counts(end + 2);
		r->name = name_add(end + 2, strcspn(end + 2, "@"));
		return;
	}
	what = strchr(end, '\t');
	if (r->function && what && *end == ':' && !is_signature(what + 1))
		instruction_add(at, r->name, is_padding(what + 1));
}

/* "name", "name+0x10", "0x1234" */
static unsigned long range_end(const char *at)
{
	size_t length = strcspn(at, "+-,");
	unsigned long offset = 0;
	char *end;
	uint32_t i;

	if (at[0] == '0')
		return strtoul(at, NULL, 16);
	if (at[length] && at[length] != ',')
		offset = (unsigned long)strtol(at + length, &end, 16);
	for (i = 0; i < text.nr; i++) {
		const char *name = text_name(i);

		if (!strncmp(name, at, length) && !name[length])
			return text.all[i].offset + offset;
	}
	die("no function %.*s", (int)length, at);
}

static void keep_range(const char *range)
{
	const char *comma = strchr(range, ',');
	unsigned long from, to;
	uint32_t i, n = 0;

	if (!comma)
		die("a range is FROM,TO");
	from = range_end(range);
	to = range_end(comma + 1);
	for (i = 0; i < text.nr; i++)
		if (text.all[i].offset >= from && text.all[i].offset < to)
			text.all[n++] = text.all[i];
	text.nr = n;
}

/* The compiler's parts of a function, "name.part.0", count as the function. */
static bool is_listed(const char *list, const char *name)
{
	size_t length = strcspn(name, ".");

	for (; *list; list += list[0] == ',') {
		if (!strncmp(list, name, length) &&
		    (!list[length] || list[length] == ','))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

static unsigned list_length(const char *list)
{
	unsigned n = 1;

	for (; *list; list++)
		n += *list == ',';
	return n;
}

static void keep_functions(const char *list)
{
	uint32_t i, n = 0, last = UINT32_MAX;
	unsigned functions = 0;

	for (i = 0; i < text.nr; i++) {
		if (!is_listed(list, text_name(i)))
			continue;
		functions += text.all[i].name != last;
		last = text.all[i].name;
		text.all[n++] = text.all[i];
	}
	if (functions < list_length(list))
		die("not all of these functions are there: %s", list);
	text.nr = n;
}

void text_read(const char *path, const char *range, const char *functions)
{
	struct reading reading = { 0 };
	char command[4200], line[1024];
	FILE *from;

	snprintf(command, sizeof(command),
		 "objdump -dw --no-show-raw-insn '%s'", path);
	from = popen(command, "r");
	while (from && fgets(line, sizeof(line), from))
		read_line(&reading, line);
	if (!from || pclose(from) || !text.nr)
		die("objdump finds no instructions in %s", path);
	if (range)
		keep_range(range);
	if (functions)
		keep_functions(functions);
	if (!text.nr)
		die("nothing in that range");
}

const char *text_name(uint32_t instruction)
{
	return text.names + text.all[instruction].name;
}

long text_find_offset(uint32_t offset)
{
	uint32_t low = 0, high = text.nr;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (text.all[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < text.nr && text.all[low].offset == offset ? (long)low : -1;
}

void text_where(uint32_t offset, char *out, size_t size)
{
	uint32_t i = 0, first;

	while (i + 1 < text.nr && text.all[i + 1].offset <= offset)
		i++;
	first = i;
	while (first && text.all[first - 1].name == text.all[i].name)
		first--;
	snprintf(out, size, "%#x %s+%#x", offset, text_name(i),
		 offset - text.all[first].offset);
}

/* ---- in a server: the library as it is loaded ---- */

static int found_library(struct dl_phdr_info *info, size_t size, void *path)
{
	struct stat a, b;
	int i;

	(void)size;
	if (!info->dlpi_name[0] || stat(info->dlpi_name, &a) ||
	    stat(path, &b) || a.st_ino != b.st_ino || a.st_dev != b.st_dev)
		return 0;
	lib.base = info->dlpi_addr;
	for (i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			lib.dynamic =
				(const void *)(lib.base +
					       info->dlpi_phdr[i].p_vaddr);
	return 1;
}

static const ElfW(Shdr) * section(const char *name)
{
	const ElfW(Shdr) *all = (const void *)(image + header()->e_shoff);
	const char *names = image + all[header()->e_shstrndx].sh_offset;
	unsigned i;

	for (i = 0; i < header()->e_shnum; i++)
		if (!strcmp(names + all[i].sh_name, name))
			return &all[i];
	return NULL;
}

/* A child may ask often: a server knows them all, of two by one name the first.
 */
static void symbols_index(void)
{
	const ElfW(Shdr) *table = section(".symtab");
	const ElfW(Shdr) *strings = section(".strtab");
	const ElfW(Sym) * sym;
	size_t nr, i;

	nr = table && strings ? table->sh_size / sizeof(*sym) : 0;
	if (!hcreate(2 * nr))
		die("no memory for %zu names", nr);
	for (i = 0; i < nr; i++) {
		sym = (const ElfW(Sym) *)(image + table->sh_offset) + i;
		hsearch((ENTRY){ .key = (char *)(image + strings->sh_offset +
						 sym->st_name),
				 .data = (void *)(lib.base + sym->st_value) },
			ENTER);
	}
}

static void *symbol_find(const char *name)
{
	const ENTRY *found = hsearch((ENTRY){ .key = (char *)name }, FIND);

	return found ? found->data : NULL;
}

void text_find(const char *path)
{
	uint32_t i;

	if (!dl_iterate_phdr(found_library, (void *)(uintptr_t)path))
		die("%s is not loaded", path);
	image_map(path);
	symbols_index();
	lib.start = lib.base + text.all[0].offset;
	lib.end = lib.base + text.all[text.nr - 1].offset + 1;
	lib.bytes = malloc(text.nr);
	for (i = 0; i < text.nr; i++)
		lib.bytes[i] =
			*(unsigned char *)(lib.base + text.all[i].offset);
}

bool text_has(uintptr_t address)
{
	return address >= lib.start && address < lib.end;
}

uintptr_t text_base(void)
{
	return lib.base;
}

void text_make_writable(void)
{
	uintptr_t start = lib.start & ~(PAGE - 1);

	if (mprotect((void *)start, lib.end - start,
		     PROT_READ | PROT_WRITE | PROT_EXEC))
		die("the text cannot be made writable");
}

static volatile unsigned char *byte_at(uint32_t offset)
{
	return (unsigned char *)(lib.base + offset);
}

void text_arm(uint32_t offset)
{
	*byte_at(offset) = INT3;
}

void text_disarm(uint32_t offset)
{
	long i = text_find_offset(offset);

	if (i >= 0)
		*byte_at(offset) = lib.bytes[i];
}

bool text_is_armed(uint32_t offset)
{
	long i = text_find_offset(offset);

	return i >= 0 && *byte_at(offset) == INT3 && lib.bytes[i] != INT3;
}

/* ---- sections, variables, symbols, from the file ---- */

const void *text_table(const char *name, size_t *size)
{
	const ElfW(Shdr) *s = section(name);

	*size = s ? s->sh_size : 0;
	return s ? (const void *)(lib.base + s->sh_addr) : NULL;
}

struct rseq_descriptor {
	uint32_t version, flags;
	uint64_t start, length, abort;
};

void text_each_section(uint32_t abort_offset,
		       void (*work)(uint32_t start, uint32_t end))
{
	static const struct rseq_descriptor *all;
	static size_t size;
	size_t i;

	if (!all)
		all = text_table("__rseq_cs", &size);
	for (i = 0; i < size / sizeof(*all); i++)
		if (all[i].abort - lib.base == abort_offset)
			work((uint32_t)(all[i].start - lib.base),
			     (uint32_t)(all[i].start + all[i].length -
					lib.base));
}

static bool has_instruction(const struct rseq_descriptor *d, uint32_t offset)
{
	return offset - (d->start - lib.base) < d->length;
}

bool text_share_abort(uint32_t a, uint32_t b)
{
	const struct rseq_descriptor *all;
	size_t size, i, k;

	all = text_table("__rseq_cs", &size);
	for (i = 0; i < size / sizeof(*all); i++)
		for (k = 0; k < size / sizeof(*all); k++)
			if (has_instruction(&all[i], a) &&
			    has_instruction(&all[k], b) &&
			    all[i].abort == all[k].abort)
				return true;
	return false;
}

static const ElfW(Phdr) * segment(unsigned type, unsigned flags)
{
	const ElfW(Phdr) *all = (const void *)(image + header()->e_phoff);
	unsigned i;

	for (i = 0; i < header()->e_phnum; i++)
		if (all[i].p_type == type && (all[i].p_flags & flags) == flags)
			return &all[i];
	return NULL;
}

/* Relocations by the base alone are all that these variables have. */
static void relocate_again(uintptr_t from, uintptr_t to)
{
	const ElfW(Shdr) *s = section(".rela.dyn");
	const ElfW(Rela) *r = s ? (const void *)(image + s->sh_offset) : NULL;
	size_t i, n = s ? s->sh_size / sizeof(*r) : 0;

	for (i = 0; i < n; i++)
		if (r[i].r_offset >= from && r[i].r_offset < to &&
		    ELF64_R_TYPE(r[i].r_info) == R_X86_64_RELATIVE)
			*(uintptr_t *)(lib.base + r[i].r_offset) =
				lib.base + (uintptr_t)r[i].r_addend;
}

void text_forget_section(void)
{
	extern const ptrdiff_t __rseq_offset;
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	*(volatile uint64_t *)(void *)(area + 8) = 0;
}

void text_reset_data(void)
{
	const ElfW(Phdr) *data = segment(PT_LOAD, PF_W);
	const ElfW(Phdr) *relro = segment(PT_GNU_RELRO, 0);
	uintptr_t from, in_file, to;

	if (!data)
		return;
	text_forget_section();
	from = relro ? relro->p_vaddr + relro->p_memsz : data->p_vaddr;
	from = (from + PAGE - 1) & ~(PAGE - 1);
	in_file = data->p_vaddr + data->p_filesz;
	to = data->p_vaddr + data->p_memsz;
	/* A page of them is read-only after start. */
	mprotect((void *)(lib.base + from),
		 ((to + PAGE - 1) & ~(PAGE - 1)) - from,
		 PROT_READ | PROT_WRITE);
	if (from < in_file)
		memcpy((void *)(lib.base + from),
		       image + data->p_offset + (from - data->p_vaddr),
		       in_file - from);
	memset((void *)(lib.base + in_file), 0, to - in_file);
	relocate_again(from, in_file);
}

size_t text_image_size(void)
{
	const ElfW(Phdr) *data = segment(PT_LOAD, PF_W);

	return data ? data->p_vaddr + data->p_memsz : 0;
}

bool text_run_array(bool at_exit)
{
	const ElfW(Dyn) * d;
	uintptr_t array = 0;
	size_t size = 0, i, n, ran = 0;

	for (d = lib.dynamic; d->d_tag; d++) {
		if (d->d_tag == (at_exit ? DT_FINI_ARRAY : DT_INIT_ARRAY))
			array = d->d_un.d_ptr;
		if (d->d_tag == (at_exit ? DT_FINI_ARRAYSZ : DT_INIT_ARRAYSZ))
			size = d->d_un.d_val;
	}
	if (array && array < lib.base)
		array += lib.base;
	n = size / sizeof(uintptr_t);
	for (i = 0; i < n; i++) {
		uintptr_t run = ((uintptr_t *)array)[i];

		/* Only what counts: not the C start-up files' own. */
		if (text_find_offset((uint32_t)(run - lib.base)) < 0)
			continue;
		((void (*)(void))run)();
		ran++;
	}
	return ran;
}

bool text_is_ours(void)
{
	return symbol_find("lanemalloc_version");
}

void *text_symbol(const char *name)
{
	void *found = symbol_find(name);

	if (!found && text_is_ours())
		die("the library has no %s any more", name);
	return found;
}
