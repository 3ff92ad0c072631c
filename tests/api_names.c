/* modes: once */
/* the shared library as a file: names, needs, SONAME, TLS */
#include "expect.h"

static const char *const expected[] = {
	/* C */
	"malloc", "free", "calloc", "realloc", "aligned_alloc", "free_sized",
	"free_aligned_sized", "malloc_usable_size", "memalign",
	"posix_memalign", "valloc", "pvalloc", "cfree",
	/* glibc's malloc.h */
	"mallopt", "mallinfo", "mallinfo2", "malloc_stats", "malloc_info",
	"malloc_trim",
	/* C++ */
	"_Znwm", "_Znam", "_ZnwmRKSt9nothrow_t", "_ZnamRKSt9nothrow_t",
	"_ZnwmSt11align_val_t", "_ZnamSt11align_val_t",
	"_ZnwmSt11align_val_tRKSt9nothrow_t",
	"_ZnamSt11align_val_tRKSt9nothrow_t", "_ZdlPv", "_ZdaPv", "_ZdlPvm",
	"_ZdaPvm", "_ZdlPvRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t",
	"_ZdlPvSt11align_val_t", "_ZdaPvSt11align_val_t",
	"_ZdlPvmSt11align_val_t", "_ZdaPvmSt11align_val_t",
	"_ZdlPvSt11align_val_tRKSt9nothrow_t",
	"_ZdaPvSt11align_val_tRKSt9nothrow_t",
	/* calls of libc that are wrapped */
	"pthread_create", "thrd_create", "dlopen", "dlmopen", "vfork",
	"__vfork", "clone", "setuid", "setgid", "seteuid", "setegid",
	"setreuid", "setregid", "setresuid", "setresgid", "setgroups",
	"initgroups", "capset", "prctl", "unshare", "setns", "chroot",
	"syscall",
	/* our own */
	"lanemalloc_version", "lanemalloc_mode", "lanemalloc_stats",
	"lanemalloc_stats_json", "lanemalloc_purge", "lanemalloc_check",
	"close_range", "sigaction", "signal", "lanemalloc_reclaimer_start",
	"lanemalloc_profile_start", "lanemalloc_profile_stop",
	"lanemalloc_profile_dump", "lanemalloc_limit",
	"lanemalloc_stats_classes", "lanemalloc_stats_cpus",
	"lanemalloc_stats_detail_json", "lanemalloc_stats_prometheus",
	"lanemalloc_view",
	/* other allocators' */
	"mallctl", "malloc_stats_print", "MallocExtension_GetStats",
	"MallocExtension_GetNumericProperty",
	"MallocExtension_ReleaseFreeMemory", "MallocExtension_ReleaseToSystem",
};

static char text[1 << 20];

static char *readelf(const char *options)
{
	char command[PATH_MAX + 64];
	size_t n;
	FILE *f;

	snprintf(command, sizeof(command), "LD_PRELOAD= readelf %s '%s'",
		 options, library_path());
	f = popen(command, "r");
	must(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	must(pclose(f) == 0 && n > 0);
	return text;
}

static bool is_expected(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		if (!strcmp(expected[i], name))
			return true;
	return false;
}

/* One line of readelf's table of dynamic symbols; the name of one that the
 * library defines, with its version behind it, or NULL. */
static char *defined_name(char *line)
{
	char type[16], binding[16], visibility[16], index[16];
	static char name[256];

	if (sscanf(line, " %*d: %*s %*s %15s %15s %15s %15s %255s", type,
		   binding, visibility, index, name) != 5)
		return NULL;
	if (!strcmp(index, "UND") || !strcmp(binding, "LOCAL"))
		return NULL;
	return name;
}

/* Exactly the expected names, each once; ours alone with a version. */
TEST_LANE(test_names)
{
	size_t nr = 0;

	for (char *line = strtok(readelf("-W --dyn-syms"), "\n"); line;
	     line = strtok(NULL, "\n")) {
		char *name = defined_name(line), *version;

		if (!name)
			continue;
		version = strchr(name, '@');
		if (version)
			*version++ = 0;
		if (!strncmp(name, "LANEMALLOC_", 11))
			continue; /* the version's own symbol */
		if (!is_expected(name))
			print_message("unexpected: %s\n", name);
		assert_true(is_expected(name));
		if (strncmp(name, "lanemalloc_", 11))
			assert_true(!version || !strncmp(version, "@Base", 5));
		else
			assert_non_null(version);
		nr++;
	}
	assert_int_equal(nr, ARRAY_SIZE(expected));
}

/* And each resolves to this library in a program that runs under it. */
TEST_LANE(test_names_resolve)
{
	Dl_info ours, info;

	must(dladdr((void *)LANE(lanemalloc_version), &ours));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		void *p = dlsym(RTLD_DEFAULT, expected[i]);

		if (!p)
			print_message("missing: %s\n", expected[i]);
		assert_non_null(p);
		must(dladdr(p, &info));
		assert_ptr_equal(info.dli_fbase, ours.dli_fbase);
	}
}

TEST_LANE(test_dynamic_section)
{
	char *dynamic = readelf("-W -d");

	assert_int_equal(lines_of(dynamic, "(NEEDED)"), 1);
	assert_non_null(strstr(dynamic, "Shared library: [libc.so.6]"));
	assert_non_null(strstr(dynamic, "soname: [liblanemalloc.so.1]"));
	assert_non_null(strstr(dynamic, "NOW"));
	assert_non_null(strstr(dynamic, "NODELETE"));
	assert_null(strstr(dynamic, "TEXTREL"));
	assert_null(strstr(dynamic, "RUNPATH"));
}

TEST_LANE(test_segments)
{
	char *headers, *tls, *stack;
	unsigned long file_size, memory_size;

	headers = readelf("-W -l");
	assert_non_null(strstr(headers, "GNU_RELRO"));
	stack = strstr(headers, "GNU_STACK");
	assert_non_null(stack);
	*strchr(stack, '\n') = 0;
	assert_null(strstr(stack, "RWE"));
	tls = strstr(headers, "  TLS ");
	if (!tls)
		return;
	assert_int_equal(sscanf(tls, " TLS %*s %*s %*s %lx %lx", &file_size,
				&memory_size),
			 2);
	assert_true(memory_size <= 256);
}

/* The sections by which debuggers know rseq. */
TEST_LANE(test_sections)
{
	char *sections = readelf("-W -S");

	assert_non_null(strstr(sections, "__rseq_cs"));
	assert_non_null(strstr(sections, "__rseq_cs_ptr_array"));
	assert_non_null(strstr(sections, "__rseq_exit_point_array"));
}

TEST_MAIN(NULL, NULL)
