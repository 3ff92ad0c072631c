/* layer 1.3: vdso: the clock that the kernel maps into each process
 *
 * The vDSO is a shared object that the kernel maps into each process; its
 * clock costs a tenth of a system call. Its symbols are read here and not
 * asked of libc, whose clock_gettime another library may stand before (and
 * then runs on the helper thread, which has no libc behind it). It is small
 * and well-formed by the kernel's word; where a part is missing there is no
 * clock, and system_now_ms() makes the system call. The kernel's addresses
 * count from its first byte; qemu-user's, from version 8.2 on, are those of
 * the process, as its segments say.
 */
#include "system/vdso.h"

#include <elf.h>

#include "base/text.h"
#include "system/sealed.h"
#include "system/threads.h"

#if defined(__x86_64__)
#define CLOCK_NAME "__vdso_clock_gettime"
#elif defined(__aarch64__)
#define CLOCK_NAME "__kernel_clock_gettime"
#endif

struct object {
	uintptr_t zero;		  /* what its addresses count from */
	const char *names;	  /* DT_STRTAB */
	const Elf64_Sym *symbols; /* DT_SYMTAB */
	const uint32_t *hash;	  /* DT_HASH */
	const uint32_t *gnu_hash; /* DT_GNU_HASH */
};

static void object_note(struct object *o, const Elf64_Dyn *entry)
{
	const void *at = (const void *)(o->zero + entry->d_un.d_ptr);

	if (entry->d_tag == DT_STRTAB)
		o->names = at;
	else if (entry->d_tag == DT_SYMTAB)
		o->symbols = at;
	else if (entry->d_tag == DT_HASH)
		o->hash = at;
	else if (entry->d_tag == DT_GNU_HASH)
		o->gnu_hash = at;
}

/* Its first part of a type; NULL without one. */
static const Elf64_Phdr *object_part(const char *base, uint32_t type)
{
	const Elf64_Ehdr *head = (const void *)base;
	const Elf64_Phdr *part = (const void *)(base + head->e_phoff);
	unsigned i;

	for (i = 0; i < head->e_phnum; i++)
		if (part[i].p_type == type)
			return &part[i];
	return NULL;
}

static void object_read(struct object *o, const char *base)
{
	const Elf64_Phdr *loaded = object_part(base, PT_LOAD);
	const Elf64_Phdr *dynamic = object_part(base, PT_DYNAMIC);
	const Elf64_Dyn *entry;

	*o = (struct object){ .zero = (uintptr_t)base };
	if (!loaded || !dynamic)
		return;
	o->zero += loaded->p_offset - loaded->p_vaddr;
	entry = (const void *)(base + dynamic->p_offset);
	for (; entry->d_tag != DT_NULL; entry++)
		object_note(o, entry);
}

/* Counts up to the last symbol of the last chain; an odd word ends a chain. */
static uint32_t gnu_nr_symbols(const uint32_t *table)
{
	uint32_t nr_buckets = table[0], first = table[1], last = 0, i;
	const uint32_t *buckets = table + 4 + 2 * table[2];
	const uint32_t *chains = buckets + nr_buckets;

	for (i = 0; i < nr_buckets; i++)
		if (buckets[i] > last)
			last = buckets[i];
	if (last < first)
		return first;
	while (!(chains[last - first] & 1))
		last++;
	return last + 1;
}

static const void *object_find(const struct object *o, const char *name)
{
	uint32_t i, n = 0;

	if (!o->names || !o->symbols)
		return NULL;
	if (o->hash)
		n = o->hash[1];
	else if (o->gnu_hash)
		n = gnu_nr_symbols(o->gnu_hash);
	for (i = 0; i < n; i++)
		if (o->symbols[i].st_shndx != SHN_UNDEF &&
		    text_is(o->names + o->symbols[i].st_name, name))
			return (const void *)(o->zero + o->symbols[i].st_value);
	return NULL;
}

const void *vdso_find(const char *base, const char *name)
{
	struct object object;

	if (!base || !text_behind(base, "\177ELF\2"))
		return NULL;
	object_read(&object, base);
	return object_find(&object, name);
}

void vdso_find_clock(void)
{
	union {
		const void *found;
		int (*clock)(clockid_t, struct timespec *);
	} clock = { vdso_find(system_vdso(), CLOCK_NAME) };
	struct timespec now;

	if (clock.found && !clock.clock(CLOCK_MONOTONIC_COARSE, &now))
		sealed.at.clock = clock.clock;
}
