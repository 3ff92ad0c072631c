/* A C program that has the library linked in: with the archive, in a fully
 * static, a static position-independent and a dynamic form. It plays its part
 * once for each way to serve, and once with the privileges that make the
 * environment a stranger's. */
#define EXPECT_LINKED
#include "expect.h"

#include <dirent.h>
#include <regex.h>
#include <sys/auxv.h>
#include <sys/stat.h>

/* The malloc that runs is the library's, under all its names. */
static void check_ours(void)
{
	extern void *__libc_malloc(size_t);
	extern void __libc_free(void *);
	struct lanemalloc_stats before, after;
	char *p, *q;

	must(lanemalloc_stats(&before, sizeof(before)) == sizeof(before));
	p = malloc(32 * MIB);
	q = __libc_malloc(32 * MIB);
	must(p && q);
	lanemalloc_stats(&after, sizeof(after));
	must(after.live_size >= before.live_size + 64 * MIB);
	must(mallinfo2().hblkhd + mallinfo2().uordblks >= 64 * MIB);
	free(q);
	__libc_free(p);
	lanemalloc_stats(&after, sizeof(after));
	must(after.live_size < before.live_size + MIB);
	must(after.nr_foreign_frees == 0);
	while (malloc_trim(0))
		;
}

/* Parts of libc that allocate for the program. */
static void check_libc(void)
{
	char *line = NULL, *text = NULL;
	size_t size = 0;
	regex_t regex;
	DIR *dir;
	FILE *f = fopen("/proc/self/maps", "r");

	must(f);
	while (getline(&line, &size, f) > 0)
		;
	fclose(f);
	free(line);
	must(asprintf(&text, "%0500d", 7) == 500);
	must(regcomp(&regex, "^0*(7|8)$", REG_EXTENDED) == 0);
	must(regexec(&regex, text, 0, NULL, 0) == 0);
	regfree(&regex);
	free(text);
	dir = opendir("/proc/self");
	must(dir && readdir(dir));
	closedir(dir);
	f = popen("exit 3", "r");
	must(f && pclose(f) == 3 << 8);
	free(strdup("text"));
	must(!malloc(opaque(SIZE_MAX)) && errno == ENOMEM);
}

static __thread char *of_thread;
static pthread_key_t key;

static void key_destructor(void *p)
{
	must(p == of_thread && pattern_holds(p, 777, 7));
	free(p);
}

static void *thread(void *arg)
{
	of_thread = malloc(777);
	pattern_fill(of_thread, 777, 7);
	pthread_setspecific(key, of_thread);
	blocks_churn((uintptr_t)arg + 1, 8000, 60000);
	return NULL;
}

static void check_threads(void)
{
	pthread_t threads[8];

	threads_start(threads, ARRAY_SIZE(threads), thread);
	for (uint64_t i = 50; i < 60; i++)
		child_passes(blocks_churn(i, 8000, 60000));
	threads_join(threads, ARRAY_SIZE(threads));
}

/* Static programs start the reclaimer by themselves, if they want it. */
static void check_reclaimer(void)
{
	must(lanemalloc_reclaimer_start() <= 0);
	must(lanemalloc_reclaimer_start() <= 0);
	blocks_churn(9, 8000, 60000);
	lanemalloc_purge();
}

static volatile int nr_handled;

static void handler(int signal)
{
	(void)signal;
	free(malloc((size_t)nr_handled++ % 3000));
}

static void check_signals(void)
{
	signal(SIGUSR1, handler);
	for (int i = 0; i < 500; i++) {
		raise(SIGUSR1);
		free(malloc((size_t)i));
	}
	must(nr_handled == 500);
}

static char *early;

__attribute__((constructor)) static void at_start(void)
{
	early = malloc(5000);
	must(early);
	pattern_fill(early, 5000, 5);
}

__attribute__((destructor)) static void at_end(void)
{
	pattern_free(early, 5000, 5);
	free(malloc(70000));
}

ROLE(work)
{
	check_ours();
	check_libc();
	blocks_churn(1, 8000, 60000);
	must(pthread_key_create(&key, key_destructor) == 0);
	check_threads();
	check_signals();
	check_reclaimer();
	must(printf("%s\n", lanemalloc_mode(NULL)) > 0);
}

ROLE(secure)
{
	must(printf("%lu\n", getauxval(AT_SECURE)) > 0);
	free(malloc(100));
}

static struct child child;

static void without_rseq(void)
{
	setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
}

static void check_work(const char *conf, void (*prepare)(void),
		       const char *not_mode)
{
	child.role = "work";
	child.conf = conf;
	child.prepare = prepare;
	child_run(&child);
	must(child_succeeded(&child));
	must(!child.err[0]);
	must(strncmp(child.out, not_mode, strlen(not_mode)));
	printf("%s", child.out);
}

static bool copy_self(const char *path)
{
	char buffer[65536];
	FILE *from = fopen("/proc/self/exe", "r"), *to = fopen(path, "w");
	size_t n;

	must(from && to);
	while ((n = fread(buffer, 1, sizeof(buffer), from)))
		must(fwrite(buffer, 1, n, to) == n);
	fclose(from);
	return fclose(to) == 0;
}

/* A setgid program ignores LANEMALLOC_CONF. Without the right to make one, or
 * where such files have no effect, nothing is checked. */
static void check_privileges(void)
{
	char path[] = "/tmp/lanemalloc-test-XXXXXX";
	int fd = mkstemp(path);

	must(fd >= 0);
	close(fd);
	must(copy_self(path));
	child = (struct child){ .role = "secure", .program = path };
	child.conf = "verbose=1";
	must(chmod(path, 0755) == 0);
	child_run(&child);
	must(child_succeeded(&child) && child.err[0]);
	if (chown(path, (uid_t)-1, getgid() + 1) == 0 &&
	    chmod(path, 02755) == 0) {
		child_run(&child);
		if (child_succeeded(&child) && child.out[0] == '1')
			must(!child.err[0]);
		else
			printf("setgid has no effect here\n");
	}
	unlink(path);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return role_run(argv[1]);
	check_work(NULL, NULL, "nothing");
	check_work("index=cpu_id", NULL, "mm_cid");
	check_work("rseq=off", NULL, "mm_cid");
	check_work("checks=1", NULL, "nothing");
	check_work(NULL, without_rseq, "mm_cid");
	check_privileges();
	return 0;
}
