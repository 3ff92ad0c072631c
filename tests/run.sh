#!/usr/bin/env bash
# Runs groups of checks; one line for each run, and at the end the count.
#
# Usage: tests/run.sh GROUP...
#
#	build	 everything compiles, without a warning
#	binary	 what the built library exports and needs
#	unit	 test_*: modules, linked with the library's objects
#	api	 api_*: public behaviour, with the library preloaded
#	fault	 fault_*: misuse and its exact message, likewise
#	storm	 storm_*: many threads, likewise
#	tool	 tool_*.py: the command that looks into processes
#	static	 static_*: linked with the archive in three ways
#	valgrind some of api_*, on the direct path under valgrind
#	lint	 the house rules, and a bad snippet for each
#	clang	 the library compiles with clang
#	musl	 the library compiles with musl-gcc, and storms run on it
#	aarch64	 the library compiles, and api_* run under qemu
#	proof	 the quick forms of what stress/ proves: models, stops, steps,
#		 perturbation, fuzzing; and the benchmarks' own checks
#	lab	 two emulated machines with Debian's kernels, where qemu-system is
#	quick, programs	 real programs under the library, some or all of them
#
# A test is a program that exits with 0. Comments at its head:
#
#	/* modes: all */	the default for preloaded tests: runs once for
#				each way to serve: mm_cid, cpu_id, direct
#	/* modes: once */	runs once
#	/* modes: ... no-qemu */	 needs a real kernel underneath
#	/* modes: ... valgrind */	 runs under valgrind too
#	/* timeout: SECONDS */	 120 unless said
#	/* build: FLAGS */	 more flags to compile and link it with
#	/* links: lanemalloc */	 links the library too
#	/* links: real-system */ unit test without tests/fake_*.c
#
# Those that may run beside others begin with what took longest the last time
# (BUILD/tests/took), so that none of them is late.
#
# Environment: BUILD (build), JOBS (three for a CPU, as some tests sleep; 6 at
# most), ONLY (a pattern of names), MAY_SKIP (a missing tool is no failure),
# VERBOSE (all output is shown), KNOWN (a test of unit, api or fault is not run
# again whose program, library and machine are as they were when it passed, nor
# what of lint takes long and whose files are: BUILD/tests/known).
# Last line: "N passed, N failed". Exit status: 0 where nothing failed.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 2

BUILD=${BUILD:-build}
MAKE=${MAKE:-make}
ONLY=${ONLY:-}
MAY_SKIP=${MAY_SKIP:-}
VERBOSE=${VERBOSE:-}
KNOWN=${KNOWN:-}
jobs=${JOBS:-$((3 * $(nproc)))}
[ "$jobs" -le 6 ] || jobs=6
LANEMALLOC_SO=$(realpath -m "$BUILD")/liblanemalloc.so
export LANEMALLOC_SO
make=("$MAKE" -j"$(nproc)" --no-print-directory BUILD="$BUILD")
unset LD_PRELOAD LANEMALLOC_CONF GLIBC_TUNABLES MAKEFLAGS MFLAGS MAKELEVEL

results=$(mktemp -d) || exit 2
trap 'rm -rf "$results"' EXIT
trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM
queue=()
declare -A took_last=()
if [ -r "$BUILD/tests/took" ]; then
	while IFS=$'\t' read -r name took; do
		took_last[$name]=$took
	done <"$BUILD/tests/took"
fi

head_comment() {
	sed -n "1,40s|^/\{0,1\} \{0,1\}\* $2: *\(.*[^ */]\).*|\1|p" "$1"
}

# passed|failed|skipped NAME [SECONDS]; a failed one's output comes below it.
say() {
	case $1 in
	passed) printf 'ok    %s  %s s\n' "$2" "$3" ;;
	skipped) printf 'skip  %s  %s\n' "$2" "$3" ;;
	failed) printf 'FAIL  %s  %s\n' "$2" "$3" ;;
	esac
}

wanted() {
	[[ $1 == *"$ONLY"* || $1 == *$ONLY* ]]
}

# Runs a command to its end and says how it went.
run_one() {
	local name=$1 timeout=$2 out=$results/$BASHPID
	local started=${EPOCHREALTIME/[.,]/} status=0 took

	shift 2
	# The outer redirection is for the shell's own word on a crash.
	{
		tests/limit.sh "$timeout" "$@" >"$out" 2>&1 </dev/null ||
			status=$?
	} 2>/dev/null
	took=$(((${EPOCHREALTIME/[.,]/} - started) / 100000))
	took=$((took / 10)).$((took % 10))
	printf '%s\t%s\n' "$name" "$took" >>"$results/took"
	{
		if [ $status -eq 0 ]; then
			echo passed >>"$results/counts"
			keep_known "$name" "$@"
			say passed "$name" "$took"
			[ -z "$VERBOSE" ] || sed 's/^/      | /' "$out"
		else
			echo failed >>"$results/counts"
			[ $status -ne 124 ] && [ $status -ne 137 ] ||
				echo "(ended after $timeout s)" >>"$out"
			say failed "$name" "status $status, $took s"
			tail -n 60 "$out" | cut -c 1-400 | sed 's/^/      | /'
		fi
	} >"$out.report"
	cat "$out.report"
}

# run NAME TIMEOUT COMMAND...: with the others of the queue.
run() {
	! wanted "$1" || queue+=("${took_last[$1]:-0} ${*@Q}")
}

# What all results hang on: the machine, the user, and what tests ask.
machine_sum() {
	{
		uname -rm
		nproc
		id -u
		ulimit -a
		ldd --version
		cat /etc/lanemalloc.conf
		for tool in clang-format gdb readelf shellcheck; do
			$tool --version
		done
	} 2>&1 | sha256sum
}
machine=
declare -A sums=() known_files=() known_key=()

# key_of FILES COMMAND...: into $key.
key_of() {
	local file

	[ -n "$machine" ] || machine=$(machine_sum)
	key="$machine ${*:2}"
	for file in $1; do
		[ -n "${sums[$file]:-}" ] || sums[$file]=$(sha256sum "$file")
		key+=" ${sums[$file]}"
	done
}

# keep_known NAME COMMAND...: it passed; unless its files changed meanwhile.
keep_known() {
	local files=${known_files[$1]:-} key

	[ -n "$files" ] || return 0
	sums=()
	key_of "$files" "${@:2}"
	[ "$key" = "${known_key[$1]}" ] || return 0
	mkdir -p "$BUILD/tests/known"
	echo "$key" >"$BUILD/tests/known/$1"
}

# run_known NAME TIMEOUT FILES COMMAND...: likewise; its result hangs on the
# command, these files and the machine.
run_known() {
	local name=$1 timeout=$2 files=$3 known="$BUILD/tests/known/$1" key

	shift 3
	wanted "$name" || return 0
	key_of "$files" "$@"
	if [ -n "$KNOWN" ] && [ -r "$known" ] && [ "$(<"$known")" = "$key" ]; then
		echo passed >>"$results/counts"
		say passed "$name" "as before, 0"
		return
	fi
	rm -f "$known"
	known_files[$name]=$files
	known_key[$name]=$key
	run "$name" "$timeout" "$@"
}

# Runs what is in the queue, so many at a time.
run_queue() {
	local line

	[ ${#queue[@]} -gt 0 ] || return 0
	while IFS= read -r line; do
		while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
			wait -n || :
		done
		eval "run_one ${line#* }" &
	done < <(printf '%s\n' "${queue[@]}" | sort -s -k 1,1nr)
	queue=()
	wait
}

# Runs alone: storms, builds.
run_alone() {
	run_queue
	wanted "$1" || return 0
	run_one "$@"
}

# What each took, for the next time.
keep_times() {
	local file=$BUILD/tests/took

	mkdir -p "$BUILD/tests"
	touch "$file" "$results/took"
	awk -F '\t' '{ took[$1] = $2 }
		END { for (name in took) print name "\t" took[name] }' \
		"$file" "$results/took" >"$results/took.new"
	mv "$results/took.new" "$file"
}

# without NAME TOOL...: true (and said) where one of the tools is missing.
without() {
	local name=$1 tool

	shift
	for tool in "$@"; do
		command -v "$tool" >/dev/null && continue
		if [ -n "$MAY_SKIP" ]; then
			say skipped "$name" "needs $tool"
		else
			echo failed >>"$results/counts"
			say failed "$name" "needs $tool (make deps)"
		fi
		return 0
	done
	return 1
}

# sources KIND...: the tests of a kind.
sources() {
	local kind

	for kind in "$@"; do
		compgen -G "tests/${kind}_*.c"
		compgen -G "tests/${kind}_*.cc"
	done | sort
}

timeout_of() {
	local seconds

	seconds=$(head_comment "$1" timeout)
	echo "${seconds:-120}"
}

name_of() {
	local name=${1##*/}

	echo "${name%.*}"
}

group_build() {
	run_alone build 900 "${make[@]}" -k WERROR=1 all tests command
}

group_binary() {
	run binary 300 tests/lint/binary.sh "$BUILD"
	run "binary calls" 300 python3 tests/lint/calls.py "$BUILD"
}

group_unit() {
	local source name

	for source in $(sources test); do
		name=$(name_of "$source")
		run_known "$name" "$(timeout_of "$source")" \
			"tests/limit.sh $BUILD/tests/$name" "$BUILD/tests/$name"
	done
}

# The three ways to serve; each is an environment.
modes=(mm_cid cpu_id direct)
declare -A mode_env=(
	[mm_cid]=LANEMALLOC_TEST_MODE=mm_cid
	[cpu_id]=LANEMALLOC_CONF=index=cpu_id
	[direct]=GLIBC_TUNABLES=glibc.pthread.rseq=0
)

# preloaded SOURCE HOW...: HOW is run_alone, or run_known with its files.
preloaded() {
	local name mode timeout

	name=$(name_of "$1")
	timeout=$(timeout_of "$1")
	if [[ $(head_comment "$1" modes) == *once* ]]; then
		"$2" "$name" "$timeout" "${@:3}" \
			env LD_PRELOAD="$LANEMALLOC_SO" "$BUILD/tests/$name"
		return
	fi
	for mode in "${modes[@]}"; do
		"$2" "$name [$mode]" "$timeout" "${@:3}" \
			env "${mode_env[$mode]}" \
			LD_PRELOAD="$LANEMALLOC_SO" "$BUILD/tests/$name"
	done
}

# group_preloaded KIND: one after the other, or beside others.
group_preloaded() {
	local source

	for source in $(sources "$1"); do
		if [ "$1" = storm ]; then
			preloaded "$source" run_alone
		else
			preloaded "$source" run_known "tests/limit.sh \
				$BUILD/tests/$(name_of "$source") \
				$LANEMALLOC_SO $(plugins)"
		fi
	done
}

plugins() {
	compgen -G "$BUILD/tests/plugin_*.so"
}

group_static() {
	local source name form

	for source in $(sources static); do
		name=$(name_of "$source")
		for form in static static-pie dynamic; do
			run "$name [$form]" "$(timeout_of "$source")" \
				"$BUILD/tests/$name.$form"
		done
	done
}

group_tool() {
	local source

	without tool python3 gcore && return
	for source in tests/tool_*.py; do
		run_alone "$(name_of "$source")" 600 python3 "$source"
	done
}

valgrind_tests="api_malloc api_aligned api_realloc api_cxx"

# Valgrind keeps our malloc in place (its own would replace it) and watches
# the library's and the test's accesses to the mapped memory.
group_valgrind() {
	local source name

	without valgrind valgrind && return
	for source in $(sources api); do
		name=$(name_of "$source")
		[[ " $valgrind_tests " == *" $name "* ||
			$(head_comment "$source" modes) == *valgrind* ]] ||
			continue
		run "$name [valgrind]" 600 env LD_PRELOAD="$LANEMALLOC_SO" \
			valgrind -q --error-exitcode=99 --leak-check=no \
			--soname-synonyms=somalloc=nouserintercepts \
			"$BUILD/tests/$name"
	done
}

group_lint() {
	local rule rules scripts

	without lint python3 shellcheck clang-format && return
	rules=$(echo tests/lint/*.py docs/generate/*.py .clang-format \
		stress/harness/faults.py)
	scripts=$(find tests stress docs packaging .ci/run -type f \
		\( -name '*.sh' -o -path .ci/run \) -not -path '*/build/*' | sort)
	for rule in $(python3 tests/lint/lint.py --list); do
		if [ "$rule" = shell ]; then
			run_known "lint $rule" 300 "$rules $scripts" \
				python3 tests/lint/lint.py "$rule"
		else
			run "lint $rule" 300 python3 tests/lint/lint.py "$rule"
		fi
	done
	for rule in $(python3 tests/lint/selftest.py --list); do
		run_known "lint-selftest $rule" 300 "$rules" \
			python3 tests/lint/selftest.py "$rule"
	done
	run_known "lint-selftest calls" 300 "$rules" \
		python3 tests/lint/calls.py --selftest
}

group_clang() {
	without clang clang && return
	run_alone clang 900 "${make[@]}" clang
}

group_musl() {
	without musl musl-gcc && return
	run_alone musl 900 "${make[@]}" musl
}

# role_aarch64 NAME ROLE CONF: one role of a test, under the emulator.
role_aarch64() {
	local dir

	dir=$(realpath -m "$BUILD")/aarch64
	run "$1 $2 [aarch64]" 300 prlimit --as=$((1 << 34)) \
		env LANEMALLOC_CONF="$3" \
		qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu \
		-E LD_PRELOAD="$dir/liblanemalloc.so" "$dir/tests/$1" "$2"
}

# The roles of a processor that tags memory, each with the first options that
# its test names.
tags_aarch64() {
	local role conf

	while read -r role conf; do
		role_aarch64 api_mte "$role" "${conf:-hardened=1}"
	done < <(sed -n 's/^TEST_TAGS(\([a-z_]*\), \(HARDENED\|"\([^"]*\)"\).*/\1 \3/p' \
		tests/api_mte.c)
}

# On another architecture, emulated: the direct path. qemu-user can neither
# start a program (of its own architecture, that is) nor fork a process with
# threads, and needs memory in proportion to reserved address space.
group_aarch64() {
	local source name dir

	without aarch64 aarch64-linux-gnu-gcc aarch64-linux-gnu-g++ && return
	run_alone aarch64 900 "${make[@]}" -k aarch64-tests
	without "aarch64 tests" qemu-aarch64 && return
	dir=$(realpath -m "$BUILD")/aarch64
	for source in $(sources api); do
		[[ $(head_comment "$source" modes) != *no-qemu* ]] || continue
		! grep -q -E 'ROLE|child_run|child_passes|fork\(' "$source" || continue
		name=$(name_of "$source")
		run "$name [aarch64]" 300 prlimit --as=$((1 << 34)) \
			env LANEMALLOC_SO="$dir/liblanemalloc.so" \
			qemu-aarch64 -L /usr/aarch64-linux-gnu \
			-E LD_PRELOAD="$dir/liblanemalloc.so" \
			"$dir/tests/$name"
	done
	tags_aarch64
}

# Each is a target of its own (make help) and says more when run by hand.
group_proof() {
	local target

	for target in model-quick sweep-quick step-quick all-but-one-quick \
		perturb-quick fuzz-quick load-control bench-selftest \
		memory-selftest; do
		run_alone "$target" 1200 "${make[@]}" "$target"
	done
}

# Emulators of whole machines are large: nothing installs them for this.
group_lab() {
	local tool

	for tool in qemu-system-x86_64 qemu-system-aarch64; do
		command -v $tool >/dev/null && continue
		say skipped lab-quick "needs $tool"
		return
	done
	run_alone lab-quick 900 "${make[@]}" lab-quick
}

# tests/programs/run.sh ends with a count of its own, which joins ours.
group_programs() {
	local out=$results/programs count status=0

	run_queue
	[ -x tests/programs/run.sh ] || return 0
	wanted programs || return 0
	LANEMALLOC=$LANEMALLOC_SO tests/programs/run.sh "$@" </dev/null 2>&1 | tee "$out" |
		grep -v -E '^[0-9]+ passed, [0-9]+ failed$'
	status=${PIPESTATUS[0]}
	count=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$out" | tail -n 1)
	if [[ $count =~ ^([0-9]+)\ passed,\ ([0-9]+) ]]; then
		yes passed | head -n "${BASH_REMATCH[1]}" >>"$results/counts"
		yes failed | head -n "${BASH_REMATCH[2]}" >>"$results/counts"
		[ "$status" -eq 0 ] || [ "${BASH_REMATCH[2]}" -gt 0 ] ||
			echo failed >>"$results/counts"
	else
		echo failed >>"$results/counts"
		say failed programs "status $status, no count"
	fi
}

: >"$results/counts"
for group in "$@"; do
	case $group in
	build | binary | unit | static | tool | valgrind | lint | clang | musl | \
		aarch64 | proof | lab)
		"group_$group" ;;
	api | fault | storm) group_preloaded "$group" ;;
	quick) group_programs --quick ;;
	programs) group_programs ;;
	*)
		echo "run.sh: no group $group" >&2
		exit 2 ;;
	esac
done
run_queue
keep_times
nr_passed=$(grep -c passed "$results/counts")
nr_failed=$(grep -c failed "$results/counts")
if [ -n "$ONLY" ] && [ $((nr_passed + nr_failed)) -eq 0 ]; then
	echo "run.sh: no test matches ONLY=$ONLY" >&2
	exit 2
fi
echo "$nr_passed passed, $nr_failed failed"
[ "$nr_failed" -eq 0 ]
