/* modes: all no-qemu */
/* timeout: 120 */
/* the probes of otel_memory: where the library's own file says they are, a
 * reader's semaphore turns the profile on and off; under gdb with arguments */
#include "expect.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>

struct probe {
	uint64_t at, base, semaphore; /* as the linker laid them out */
	char arguments[64];
};

struct file {
	const char *bytes;
	const Elf64_Ehdr *head;
	const Elf64_Shdr *sections;
	const char *names;
	uintptr_t loaded_at;
};

static struct file library_open(void)
{
	struct file f;
	struct stat st;
	Dl_info info;
	int fd;

	must(dladdr((void *)LANE(lanemalloc_version), &info));
	fd = open(info.dli_fname, O_RDONLY);
	must(fd >= 0 && !fstat(fd, &st));
	f.bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	must(f.bytes != MAP_FAILED);
	close(fd);
	f.head = (const void *)f.bytes;
	f.sections = (const void *)(f.bytes + f.head->e_shoff);
	f.names = f.bytes + f.sections[f.head->e_shstrndx].sh_offset;
	f.loaded_at = (uintptr_t)info.dli_fbase;
	return f;
}

static const Elf64_Shdr *section(const struct file *f, const char *name)
{
	for (int i = 0; i < f->head->e_shnum; i++)
		if (!strcmp(f->names + f->sections[i].sh_name, name))
			return &f->sections[i];
	must(!"a section of that name");
	return NULL;
}

static struct probe probe_find(const struct file *f, const char *name)
{
	const Elf64_Shdr *notes = section(f, ".note.stapsdt");
	const char *at = f->bytes + notes->sh_offset;
	const char *end = at + notes->sh_size, *text;
	struct probe probe;

	while (at < end) {
		const Elf64_Nhdr *note = (const void *)at;

		must(note->n_type == 3 && !strcmp(at + 12, "stapsdt"));
		at += 12 + (note->n_namesz + 3) / 4 * 4;
		memcpy(&probe, at, 24);
		text = at + 24;
		must(!strcmp(text, "otel_memory"));
		text += strlen(text) + 1;
		at += (note->n_descsz + 3) / 4 * 4;
		if (strcmp(text, name))
			continue;
		snprintf(probe.arguments, sizeof(probe.arguments), "%s",
			 text + strlen(text) + 1);
		return probe;
	}
	must(!"a probe of that name");
	return probe;
}

static uint64_t nr_allocs(void)
{
	char path[] = "/tmp/api_probe.XXXXXX", line[256];
	unsigned long n, bytes, allocs, alloc_bytes;
	FILE *f;
	int fd = mkstemp(path);

	must(fd >= 0);
	close(fd);
	snprintf(line, sizeof(line), "%s.heap", path);
	unlink(path);
	must(!LANE(lanemalloc_profile_dump)(line));
	f = fopen(line, "r");
	unlink(line);
	must(f && fscanf(f, "heap profile: %lu: %lu [%lu: %lu]", &n, &bytes,
			 &allocs, &alloc_bytes) == 4);
	fclose(f);
	return allocs;
}

/* No lane serves it. */
static void miss(void)
{
	free(opaque(malloc(MIB)));
}

TEST_ROLE(semaphore, "profile_interval=1")
{
	struct file f = library_open();
	struct probe probe = probe_find(&f, "alloc");
	struct probe freed = probe_find(&f, "free");
	uint64_t moved = f.loaded_at + section(&f, ".stapsdt.base")->sh_addr -
			 probe.base;
	volatile uint16_t *readers = (void *)(moved + probe.semaphore);
	volatile uint16_t *free_readers = (void *)(moved + freed.semaphore);
	uint64_t before;

#ifdef __x86_64__
	must(!strcmp(probe.arguments, "8@%rdi 8@%rsi 8@%rdx"));
	must(!strcmp(freed.arguments, "8@%rdi"));
	must(*(unsigned char *)(moved + probe.at) == 0x90);
	must(*(unsigned char *)(moved + freed.at) == 0x90);
#endif
	must(*readers == 0 && *free_readers == 0);
	miss();
	must(LANE(lanemalloc_profile_dump)("/no/such") == -ENODATA);
	/* The first to attach turns it on, the last to go off. */
	*readers = 1;
	miss();
	before = nr_allocs();
	*free_readers = 1;
	*readers = 0;
	miss();
	must(nr_allocs() > before);
	*free_readers = 0;
	miss();
	before = nr_allocs();
	miss();
	must(nr_allocs() == before);
	/* One that was on stays on. */
	must(!LANE(lanemalloc_profile_start)());
	*readers = 1;
	miss();
	*readers = 0;
	miss();
	before = nr_allocs();
	miss();
	must(nr_allocs() > before);
}

/* For gdb. */
ROLE(two)
{
	void *block = opaque(malloc(3 * MIB));

	free(block);
}

/* A reader that people have: gdb stops at both, with the block's address and
 * size, and has raised the semaphore. */
TEST_LANE(test_gdb)
{
	static char command[3 * PATH_MAX], out[65536];
	unsigned long block = 0, size = 0, weight = 0, freed = 0;
	char self[PATH_MAX], *at;
	size_t n;
	FILE *f;

	if (system("env -u LD_PRELOAD gdb --version >/dev/null 2>&1"))
		skip();
	must((n = (size_t)readlink("/proc/self/exe", self, PATH_MAX - 1)) > 0);
	self[n] = '\0';
	snprintf(command, sizeof(command),
		 "env -u LD_PRELOAD timeout 600 gdb -q -batch -nx "
		 "-ex 'set startup-with-shell off' "
		 "-ex 'set environment LD_PRELOAD %s' "
		 "-ex 'set environment LANEMALLOC_CONF profile_interval=1' "
		 "-ex 'break role_two' -ex run "
		 "-ex 'break -probe-stap otel_memory:alloc if "
		 "$_probe_arg1 == 3145728' "
		 "-ex continue "
		 "-ex 'printf \"A %%lu %%lu %%lu\\n\", $_probe_arg0, "
		 "$_probe_arg1, $_probe_arg2' "
		 "-ex 'set $block = $_probe_arg0' "
		 "-ex 'break -probe-stap otel_memory:free if "
		 "$_probe_arg0 == $block' "
		 "-ex continue "
		 "-ex 'printf \"F %%lu\\n\", $_probe_arg0' "
		 "-ex kill --args %s two </dev/null 2>&1",
		 library_path(), self);
	f = popen(command, "r");
	must(f);
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = '\0';
	pclose(f);
	if (strstr(out, "ptrace: Operation not permitted"))
		skip();
	at = strstr(out, "\nA ");
	if (!at || sscanf(at, " A %lu %lu %lu", &block, &size, &weight) != 3)
		fprintf(stderr, "%s\n", out);
	at = strstr(out, "\nF ");
	assert_true(at && sscanf(at, " F %lu", &freed) == 1);
	assert_int_equal(size, 3 * MIB);
	assert_int_equal(weight, 3 * MIB);
	assert_true(block && block == freed);
}

API_MAIN(NULL, NULL)
