/* modes: all no-qemu */
/* timeout: 240 */
/* profiles: by the options, the functions and the signal; exact where every
 * block is sampled, unbiased where not; in handlers and children */
#include "expect.h"

#include <dirent.h>
#include <sys/time.h>

#include "profile_file.h"

#define NR_THREADS 4
#define NR_KEPT 1000

static volatile int stop;

/* Every way to allocate, of every kind of block; the bytes. */
static void *kept[NR_KEPT];
static size_t nr_kept;

static uint64_t keep(void *block, size_t size)
{
	must(block);
	memset(block, 1, size);
	kept[nr_kept++] = block;
	return size;
}

static uint64_t keep_all(void)
{
	static const size_t sizes[] = { 1, 16, 17, 100, 1000, 4096, 30000,
					32768, 40000, 200000, 262144, 262145,
					1000000, 5000000 };
	uint64_t sum = 0;
	void *p;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t n = sizes[i];

		sum += keep(malloc(n), n);
		sum += keep(calloc(1, n), n);
		sum += keep(aligned_alloc(16, n), n);
		sum += keep(aligned_alloc(256, n), n);
		sum += keep(memalign(8192, n), n);
		sum += keep(realloc(NULL, n), n);
		sum += keep(realloc(malloc(3 * n + 50), n), n);
		must(!posix_memalign(&p, 64, n));
		sum += keep(p, n);
	}
	return sum;
}

static void drop_all(void)
{
	while (nr_kept)
		free(kept[--nr_kept]);
}

/* Also in modes in which every call takes another way. */
TEST_ROLE(exact, EXACT, EXACT ",checks=fast", EXACT ",checks=full",
	  EXACT ",usable=requested,large_guard=all")
{
	struct profile before, with, after;
	uint64_t bytes;
	size_t nr;

	/* So that lanes would take what must not come there. */
	keep_all();
	drop_all();
	must(!LANE(lanemalloc_profile_start)());
	before = profile_now();
	bytes = keep_all();
	nr = nr_kept;
	with = profile_now();
	must(with.period == 1 && with.nr_mappings >= 2);
	must(with.values[INUSE_OBJECTS] - before.values[INUSE_OBJECTS] == nr);
	/* In place a realloc keeps the size that malloc was asked for. */
	must(with.values[INUSE_SPACE] - before.values[INUSE_SPACE] >= bytes);
	drop_all();
	after = profile_now();
	must(after.values[INUSE_OBJECTS] == before.values[INUSE_OBJECTS]);
	must(after.values[INUSE_SPACE] == before.values[INUSE_SPACE]);
	must(after.values[PEAK_SPACE] >= with.values[INUSE_SPACE]);
	must(after.values[ALLOC_OBJECTS] - after.values[FREED_OBJECTS] ==
	     after.values[INUSE_OBJECTS]);
}

TEST_ROLE(off_and_on, EXACT)
{
	struct profile p[4];
	void *a, *b, *c;

	must(LANE(lanemalloc_profile_dump)("x") == -ENODATA);
	LANE(lanemalloc_profile_stop)();
	must(!LANE(lanemalloc_profile_start)());
	must(!LANE(lanemalloc_profile_start)());
	p[0] = profile_now();
	a = opaque(malloc(100));
	LANE(lanemalloc_profile_stop)();
	b = opaque(malloc(100));
	p[1] = profile_now();
	must(p[1].values[ALLOC_OBJECTS] - p[0].values[ALLOC_OBJECTS] == 1);
	free(a);
	free(b);
	p[2] = profile_now();
	must(p[2].values[INUSE_OBJECTS] == p[0].values[INUSE_OBJECTS]);
	for (int i = 0; i < 100; i++) {
		must(!LANE(lanemalloc_profile_start)());
		c = opaque(malloc(50));
		LANE(lanemalloc_profile_stop)();
		free(c);
		/* It lies in no lane. */
		a = opaque(malloc(50));
		must(a != c);
		free(a);
	}
	p[3] = profile_now();
	must(p[3].values[ALLOC_OBJECTS] - p[2].values[ALLOC_OBJECTS] == 100);
	must(p[3].values[INUSE_OBJECTS] == p[0].values[INUSE_OBJECTS]);
	must(LANE(lanemalloc_profile_dump)("/no/such/directory") == -ENOENT);
}

/* Files that a process of our id was killed over, as in containers: made, or
 * taken away again. */
static void parts_left(const char *path, bool there)
{
	char part[64];
	int i, fd;

	for (i = -1; i < 8; i++) {
		snprintf(part, sizeof(part),
			 i < 0 ? "%s.part" : "%s.%d.%d.part", path,
			 (int)getpid(), i);
		if (!there)
			must(!unlink(part));
		else
			must((fd = creat(part, 0600)) >= 0 && !close(fd));
	}
}

TEST_ROLE(parts_left, EXACT)
{
	char path[] = "/tmp/api_profile.XXXXXX";
	int fd = mkstemp(path);

	must(fd >= 0);
	must(!LANE(lanemalloc_profile_start)());
	parts_left(path, true);
	must(!LANE(lanemalloc_profile_dump)(path));
	parts_left(path, false);
	close(fd);
	fd = open(path, O_RDONLY);
	must(fd >= 0 && lseek(fd, 0, SEEK_END) > 100);
	must(!close(fd) && !unlink(path));
}

static void churn(uint64_t seed, size_t rounds)
{
	void *blocks[64] = { 0 };
	uint64_t random = seed * 2 + 1;

	while (rounds--) {
		size_t k = random_next(&random) % ARRAY_SIZE(blocks);

		free(blocks[k]);
		blocks[k] = malloc(random_next(&random) %
				   (rounds % 64 ? 2000 : 400000));
		must(blocks[k]);
	}
	free_each(blocks);
}

static void *churn_thread(void *arg)
{
	churn((uintptr_t)arg, 4000);
	return NULL;
}

/* Between the two nothing else allocates: threads cost blocks of libc's. */
TEST_ROLE(threads, EXACT)
{
	struct profile before, after;

	for (int round = 0; round < 2; round++) {
		must(!LANE(lanemalloc_profile_start)());
		before = profile_now();
		threads_run(NR_THREADS, churn_thread);
		after = profile_now();
	}
	must(after.values[INUSE_OBJECTS] == before.values[INUSE_OBJECTS]);
	must(after.values[ALLOC_OBJECTS] - before.values[ALLOC_OBJECTS] >
	     NR_THREADS * 3900);
}

TEST_ROLE(unbiased, "profile_interval=64k",
	  "profile_interval=64k,checks=fast")
{
	static void *blocks[65536];
	struct profile p, q;

	must(!LANE(lanemalloc_profile_start)());
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = malloc(1024);
	p = profile_now();
	must(p.period == 65536);
	assert_estimate(p.values[INUSE_SPACE], 64.0 * MIB, 1024);
	assert_estimate(p.values[INUSE_OBJECTS], 65536, 1024);
	free_each(blocks);
	for (size_t i = 0; i < 4096; i++)
		blocks[i] = malloc(65536);
	p = profile_now();
	assert_estimate(p.values[INUSE_SPACE], 256.0 * MIB, 2048);
	assert_estimate(p.values[ALLOC_OBJECTS], 65536 + 4096, 512);
	for (size_t i = 0; i < 4096; i++)
		free(blocks[i]);
	/* Blocks that are used again and again do not miss in any cache. */
	for (size_t i = 0; i < 1000000; i++)
		free(opaque(malloc(512)));
	p = profile_now();
	must(p.values[INUSE_OBJECTS] == 0);
	assert_estimate(p.values[ALLOC_SPACE], 320.0 * MIB + 512e6, 8000);
	/* Likewise the other ways to a lane. */
	for (size_t i = 0; i < 20000; i++)
		free(opaque(malloc(40000)));
	for (size_t i = 0; i < 200000; i++)
		free(opaque(aligned_alloc(64, 640)));
	q = profile_now();
	assert_estimate(q.values[ALLOC_SPACE] - p.values[ALLOC_SPACE],
			800e6 + 128e6, 10000);
}

/* Beyond its memory samples are lost, and nothing else. */
TEST_ROLE(full, "profile_interval=1,profile_memory=1m")
{
	static void *blocks[100000];
	struct profile p;

	must(!LANE(lanemalloc_profile_start)());
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i] = malloc(40);
		must(blocks[i]);
		memset(blocks[i], 7, 40);
	}
	p = profile_now();
	must(p.values[INUSE_OBJECTS] > 5000);
	must(p.values[INUSE_OBJECTS] < 60000);
	free_each(blocks);
	p = profile_now();
	must(p.values[INUSE_OBJECTS] < 100);
}

static volatile sig_atomic_t nr_handled;

/* Looked up before: libc holds a lock where it looks. */
static __typeof__(&lanemalloc_profile_start) profile_start;
static __typeof__(&lanemalloc_profile_stop) profile_stop;
static __typeof__(&lanemalloc_profile_dump) profile_dump;

static void handler(int signal)
{
	char path[128];

	(void)signal;
	churn((uint64_t)nr_handled, 50);
	if (nr_handled % 4 == 0)
		profile_stop();
	must(!profile_start());
	if (nr_handled % 8 == 0) {
		snprintf(path, sizeof(path), "%s/handler.%d", dir, nr_handled);
		must(!profile_dump(path));
	}
	nr_handled++;
}

/* A handler in the middle of everything, also of a dump. */
TEST_ROLE(handler, "profile_interval=4k")
{
	struct sigaction action = { .sa_handler = handler };
	struct itimerval timer = { { 0, 500 }, { 0, 500 } };
	struct profile p;
	char path[128];

	profile_start = LANE(lanemalloc_profile_start);
	profile_stop = LANE(lanemalloc_profile_stop);
	profile_dump = LANE(lanemalloc_profile_dump);
	must(!profile_start());
	churn(1, 10);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (nr_handled < 400) {
		churn(7, 100);
		snprintf(path, sizeof(path), "%s/main", dir);
		must(!profile_dump(path));
	}
	timer = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &timer, NULL);
	profile_parse(&p, path);
	for (int i = 0; i < nr_handled; i += 8) {
		snprintf(path, sizeof(path), "%s/handler.%d", dir, i);
		profile_parse(&p, path);
	}
}

static void *churn_until(void *arg)
{
	while (!stop)
		churn((uintptr_t)arg, 100);
	return NULL;
}

/* Children have their parent's profile and go on with it. */
static void fork_child(void)
{
	struct profile p = profile_now();
	void *block = malloc(77);
	struct profile q = profile_now();

	must(q.values[ALLOC_OBJECTS] - p.values[ALLOC_OBJECTS] == 1);
	must(q.values[INUSE_SPACE] - p.values[INUSE_SPACE] == 77);
	free(block);
	LANE(lanemalloc_profile_stop)();
	churn(3, 100);
}

TEST_ROLE(fork, EXACT)
{
	pthread_t threads[2];

	must(!LANE(lanemalloc_profile_start)());
	threads_start(threads, 2, churn_until);
	for (int i = 0; i < 30; i++)
		child_passes(fork_child());
	stop = 1;
	threads_join(threads, 2);
}

/* Files in the directory; *path: the last one. */
static int nr_files(char *path, size_t size)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int nr = 0;

	must(d);
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, size, "%s/%s", dir, entry->d_name);
		nr++;
	}
	closedir(d);
	return nr;
}

TEST_ROLE(signal, EXACT ",profile_signal=12")
{
	const union sigval stop_value = { .sival_int = 1 };
	struct profile p, q;
	char path[400];

	must(nr_files(path, sizeof(path)) == 0);
	raise(SIGUSR2);
	must(nr_files(path, sizeof(path)) == 0);
	free(opaque(malloc(100)));
	raise(SIGUSR2);
	must(nr_files(path, sizeof(path)) == 1);
	must(strstr(path, "/api_profile."));
	profile_parse(&p, path);
	must(p.values[ALLOC_OBJECTS] >= 1);
	raise(SIGUSR2);
	must(nr_files(path, sizeof(path)) == 1);
	unlink(path);
	must(!sigqueue(getpid(), SIGUSR2, stop_value));
	must(nr_files(path, sizeof(path)) == 0);
	p = profile_now();
	free(opaque(malloc(100)));
	q = profile_now();
	must(q.values[ALLOC_OBJECTS] == p.values[ALLOC_OBJECTS]);
	raise(SIGUSR2);
	free(opaque(malloc(100)));
	q = profile_now();
	must(q.values[ALLOC_OBJECTS] == p.values[ALLOC_OBJECTS] + 1);
}

ROLE(exit)
{
	free(opaque(malloc(100)));
}

TEST_LANE(test_exact)
{
	char path[400];

	role_passes("exact", EXACT ",profile=1");
	assert_int_equal(nr_files(path, sizeof(path)), 1);
	assert_int_equal(unlink(path), 0);
}

static void file_read(char *text, size_t size)
{
	char path[400];
	size_t n;

	assert_int_equal(nr_files(path, sizeof(path)), 1);
	n = profile_read(path);
	assert_true(n < size);
	memcpy(text, profile_bytes, n);
	text[n] = '\0';
}

TEST_LANE(test_at_exit)
{
	unsigned long nr, bytes, allocs, alloc_bytes;
	static char text[1 << 20];
	char path[400];
	struct profile p;

	role_passes("exit", "profile=1," EXACT);
	assert_int_equal(nr_files(path, sizeof(path)), 1);
	profile_parse(&p, path);
	assert_true(p.values[FREED_OBJECTS] >= 1);
	role_passes("exit", "profile=1,profile_form=text," EXACT);
	file_read(text, sizeof(text));
	assert_int_equal(sscanf(text, "heap profile: %lu: %lu [%lu: %lu] @ "
				      "heapprofile\n",
				&nr, &bytes, &allocs, &alloc_bytes), 4);
	assert_true(allocs > nr && alloc_bytes >= bytes + 100);
	assert_non_null(strstr(text, "\nMAPPED_LIBRARIES:\n"));
	assert_non_null(strstr(text, "/libc"));
	assert_non_null(strstr(text, "@ 0x"));
	role_passes("exit", "profile=1,profile_form=text");
	file_read(text, sizeof(text));
	assert_non_null(strstr(text, "] @ heap_v2/524288\n"));
}

API_MAIN(dir_make, dir_remove)
