/* layer 1.3: vdso: the clock that the kernel maps into each process
 *
 * The vDSO is a shared object that the kernel maps into each process; its
 * clock costs a tenth of a system call. Its symbols are read here and not
 * asked of libc, whose clock_gettime another library may stand before (and
 * then runs on the helper thread, which has no libc behind it). It is small
 * and well-formed by the kernel's word; where a part is missing there is no
 * clock, and system_now_ms() makes the system call.
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
	const char *base;
	const char *names;	  /* DT_STRTAB */
	const Elf64_Sym *symbols; /* DT_SYMTAB */
	const uint32_t *hash;	  /* DT_HASH */
	const uint32_t *gnu_hash; /* DT_GNU_HASH */
};

static void object_note(struct object *o, const Elf64_Dyn *entry)
{
	const char *at = o->base + entry->d_un.d_ptr;

	if (entry->d_tag == DT_STRTAB)
		o->names = at;
	else if (entry->d_tag == DT_SYMTAB)
		o->symbols = (const void *)at;
	else if (entry->d_tag == DT_HASH)
		o->hash = (const void *)at;
	else if (entry->d_tag == DT_GNU_HASH)
		o->gnu_hash = (const void *)at;
}

/* Its addresses count from 0, where its first segment is. */
static void object_read(struct object *o, const char *base)
{
	const Elf64_Ehdr *head = (const void *)base;
	const Elf64_Phdr *part = (const void *)(base + head->e_phoff);
	const Elf64_Dyn *entry;
	unsigned i;

	*o = (struct object){ .base = base };
	for (i = 0; i < head->e_phnum; i++) {
		if (part[i].p_type != PT_DYNAMIC)
			continue;
		entry = (const void *)(base + part[i].p_offset);
		for (; entry->d_tag != DT_NULL; entry++)
			object_note(o, entry);
	}
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
			return o->base + o->symbols[i].st_value;
	return NULL;
}

void vdso_find_clock(void)
{
	const char *base = system_vdso();
	struct object object;
	union {
		const void *found;
		int (*clock)(clockid_t, struct timespec *);
	} clock = { NULL };
	struct timespec now;

	if (!base || !text_behind(base, "\177ELF\2"))
		return;
	object_read(&object, base);
	clock.found = object_find(&object, CLOCK_NAME);
	if (clock.found && !clock.clock(CLOCK_MONOTONIC_COARSE, &now))
		sealed.at.clock = clock.clock;
}
