#!/bin/bash
# packages: python3 libpython3.11-testsuite
# limit: 240
# quick
#
# A part of Python's own test suite, with malloc for every object. Its quick
# form (PROGRAMS_QUICK=1, which run.sh --quick sets) is shorter.
. "$(dirname "$0")/../lib.sh"
begin

tests_of_python=(test_dict test_list test_bytes test_json test_thread
	test_gc test_ctypes test_descr test_mmap test_struct test_array
	test_deque test_sort test_memoryview test_exceptions)
[ -n "${PROGRAMS_QUICK-}" ] ||
	tests_of_python+=(test_set test_re test_zlib test_threading
		test_fork1 test_subprocess test_weakref test_queue
		test_pickle test_unicode)

under_python() {
	must_under "$1" env HOME="$work/data" TMPDIR="$work/data" \
		PYTHONMALLOC=malloc python3 "${@:2}"
}

under_python maps -c 'import sys
sys.exit(sys.argv[1] not in open("/proc/self/maps").read())' "$preload"
under_python run -m test -j2 --timeout 120 "${tests_of_python[@]}"
passed=$(sed -n 's/^All \([0-9]*\) tests OK\.$/\1/p' log/run)
[ "${passed:-0}" -eq ${#tests_of_python[@]} ] ||
	fail "${passed:-not all} of ${#tests_of_python[@]} test modules passed"
ok "$passed test modules passed"
