/* A C++ program that has the library linked in: with the archive, in a fully
 * static, a static position-independent and a dynamic form. */
#define EXPECT_LINKED
#include <algorithm>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "expect.h"

static struct lanemalloc_stats stats()
{
	struct lanemalloc_stats s;

	must(lanemalloc_stats(&s, sizeof(s)) == sizeof(s));
	return s;
}

static void check_ours()
{
	uint64_t before = stats().live_size;
	auto block = std::make_unique<char[]>(32 * MIB);

	must(stats().live_size >= before + 32 * MIB);
	block.reset();
	must(stats().live_size < before + MIB);
}

static void check_streams()
{
	std::ostringstream out;
	std::string word, all;

	for (int i = 0; i < 5000; i++)
		out << "word" << i << ' ';
	std::istringstream in(out.str());
	while (in >> word)
		all += word;
	must(all.size() == 5000 * 4 + 18890);
	std::cout << "streams " << 1.5 << std::endl;
}

struct alignas(512) aligned {
	char c[700];
};

static void check_containers(int seed)
{
	std::map<int, std::vector<std::string>> map;
	std::vector<aligned> aligned_ones;

	for (int i = 0; i < 5000; i++) {
		map[(i * seed) % 97].push_back(std::string(i % 70, 'x'));
		if (i % 100 == 0)
			aligned_ones.emplace_back();
		must((uintptr_t)aligned_ones.data() % 512 == 0);
	}
	size_t n = 0;
	for (auto &[key, strings] : map)
		n += strings.size();
	must(n == 5000);
}

static void *volatile sink;

static void check_exceptions()
{
	int nr = 0;

	for (int i = 0; i < 100; i++) {
		try {
			std::vector<char> v(100);
			sink = operator new(opaque(SIZE_MAX / 2));
		} catch (const std::bad_alloc &) {
			nr++;
		}
	}
	must(nr == 100);
	must(!operator new(opaque(SIZE_MAX / 2), std::nothrow));
}

static void handler_throws()
{
	throw std::string(100, 'e');
}

static void check_nothrow()
{
	std::set_new_handler(handler_throws);
	must(!operator new(opaque(SIZE_MAX / 2), std::nothrow));
	must(!operator new[](opaque(SIZE_MAX / 2), std::align_val_t(64),
			     std::nothrow));
	must(std::uncaught_exceptions() == 0);
	std::set_new_handler(nullptr);
}

struct in_thread {
	std::string text = std::string(100, 't');
	~in_thread()
	{
		must(text == std::string(100, 't'));
		delete[] new char[3000];
	}
};

static thread_local in_thread of_thread;

static void check_threads()
{
	std::vector<std::thread> threads;

	for (int i = 0; i < 8; i++)
		threads.emplace_back([i] {
			must(of_thread.text.size() == 100);
			check_containers(i + 3);
			check_exceptions();
		});
	for (int i = 5; i < 10; i++)
		child_passes(check_containers(i));
	for (auto &thread : threads)
		thread.join();
}

struct global {
	std::vector<int> numbers = std::vector<int>(1000, 7);
	~global()
	{
		must(std::count(numbers.begin(), numbers.end(), 7) == 1000);
	}
};

static global before_main;

ROLE(work)
{
	must(before_main.numbers.size() == 1000);
	check_ours();
	check_streams();
	check_containers(1);
	check_exceptions();
	check_nothrow();
	check_threads();
	must(stats().nr_foreign_frees == 0);
}

static void without_rseq()
{
	setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
}

static void check_work(const char *conf, void (*prepare)(void))
{
	static struct child run;

	run.role = "work";
	run.conf = conf;
	run.prepare = prepare;
	child_run(&run);
	must(child_succeeded(&run));
	must(!strcmp(run.out, "streams 1.5\n") && !run.err[0]);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return role_run(argv[1]);
	check_work(nullptr, nullptr);
	check_work("index=cpu_id", nullptr);
	check_work("rseq=off", nullptr);
	check_work(nullptr, without_rseq);
	return 0;
}
