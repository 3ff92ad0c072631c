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

# Those that it lists, indented, below "2 tests failed:".
failed_modules() {
	sed -n '/ tests\{0,1\} failed:$/,/^$/s/^    //p' log/run
}

under_python maps -c 'import sys
sys.exit(sys.argv[1] not in open("/proc/self/maps").read())' "$preload"
# A test of Python's that looks at the clock may fail on a busy machine: it has
# a second run, alone. One that crashed or hung has not.
launch run env ${preload:+LD_PRELOAD="$preload"} HOME="$work/data" \
	TMPDIR="$work/data" PYTHONMALLOC=malloc python3 -m test -j2 \
	--timeout 600 "${tests_of_python[@]}"
wait "$launched"
note=
if ! grep -q "^All ${#tests_of_python[@]} tests OK" log/run; then
	bad=$(grep -a -m 1 -E 'crashed|Exit code -|[Tt]imed out|^Fatal' log/run)
	[ -z "$bad" ] || fail "$bad"
	read -r -a again <<<"$(failed_modules | tr '\n' ' ')"
	[ ${#again[@]} -gt 0 ] || fail "no result: $(tail -n 1 log/run)"
	bad=$(grep -a -m 1 -E '^(FAIL|ERROR): ' log/run)
	[ ${#again[@]} -le 2 ] || fail "failed: ${again[*]}: $bad"
	under_python again -m test --timeout 600 "${again[@]}"
	note=", ${again[*]} at the second run ($bad)"
fi
ok "${#tests_of_python[@]} test modules passed$note"
