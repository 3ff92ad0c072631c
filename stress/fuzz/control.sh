#!/bin/bash
# Negative controls: faults put into copies of the library, each of which the
# corpus or, where that does not, the fuzzer must find.
#
# Usage: control.sh [NAME...]		(make fuzz-control)
#
# control/faults.txt has them, each with the target that finds it. One that
# does not fit any more is an error, as is one that nobody finds.
# Environment: BUILD (build), MAKE (make), FUZZ_CONTROL_SECONDS (60).
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2

BUILD=${BUILD:-build}
MAKE=${MAKE:-make}
seconds=${FUZZ_CONTROL_SECONDS:-60}
base=$BUILD/fuzz
work=$base/control
faults=stress/harness/faults.py
list=stress/fuzz/control/faults.txt
nr_found=0
nr_missed=0

say_error() {
	echo "fuzz-control: $*" >&2
	nr_missed=$((nr_missed + 1))
}

build() {
	"$MAKE" --no-print-directory "$@" >"$work/build.log" 2>&1 && return
	tail -n 20 "$work/build.log" >&2
	return 1
}

# The objects of the sound library serve again but for the file that the
# patch changes: cp -a keeps their times.
prepare() {
	rm -rf "$work/src" "$work/build"
	mkdir -p "$work/build"
	touch "$work/build/begun"
	cp -a src "$work/src" &&
		cp -a "$BUILD/flags" "$BUILD/headers" "$work/build/" &&
		mkdir "$work/build/fuzz" &&
		cp -a "$base/replay" "$base/libfuzzer" "$base/shadow" \
			"$work/build/fuzz/" &&
		rm -f "$work"/build/fuzz/*/fuzz_{heap,page_heap,config}
}

# The first line of a fault in a log; of a crash without words, that.
fault_of() {
	grep -m 1 -o -a -E '(FINDING|runtime error): .*' "$1" ||
		grep -m 1 -a -E 'ERROR: |Segmentation|Aborted' "$1" ||
		echo 'ended by a signal'
}

# The outer redirection is for the shell's own word on a crash.
by_replay() {
	{
		! timeout 300 "$work/build/fuzz/replay/fuzz_$1" \
			"stress/fuzz/corpus/$1.txt" >"$work/log" 2>&1
	} 2>/dev/null
}

by_fuzzer() {
	rm -rf "$work/found" "$work/corpus"
	mkdir "$work/found"
	python3 stress/fuzz/corpus.py unpack "stress/fuzz/corpus/$1.txt" \
		"$work/corpus" || exit 2
	! timeout $((seconds * 4 + 60)) "$work/build/fuzz/libfuzzer/fuzz_$1" \
		-max_total_time="$seconds" -max_len=400 -timeout=25 -seed=1 \
		-artifact_prefix="$work/" "$work/found" "$work/corpus" \
		>"$work/log" 2>&1
}

control() {
	local name=$1 target=${1%%-*}

	prepare || exit 2
	python3 $faults --src "$work/src" $list "$name" ||
		{ say_error "$name does not fit any more"; return; }
	# A header may be anywhere in the library.
	find "$work/src" -name '*.h' -newer "$work/build/begun" |
		grep -q . && rm -rf "$work"/build/fuzz/*/lib
	build BUILD="$work/build" FUZZ_SRC="$work/src" \
		"$work/build/fuzz/replay/fuzz_$target" ||
		{ say_error "$name does not compile"; return; }
	if by_replay "$target"; then
		echo "found  $name  by the corpus: $(fault_of "$work/log")"
		nr_found=$((nr_found + 1))
		return
	fi
	build BUILD="$work/build" FUZZ_SRC="$work/src" \
		"$work/build/fuzz/libfuzzer/fuzz_$target" || exit 2
	if by_fuzzer "$target"; then
		echo "found  $name  by the fuzzer: $(fault_of "$work/log")"
		nr_found=$((nr_found + 1))
	else
		say_error "$name is not found in $seconds s"
	fi
}

wanted() {
	local name

	[ $# -gt 1 ] || return 0
	for name in "${@:2}"; do
		[[ $1 != *"$name"* ]] || return 0
	done
	return 1
}

mkdir -p "$work"
work=$(realpath "$work")
build BUILD="$BUILD" fuzz-build-replay fuzz-build-libfuzzer || exit 2
for target in heap page_heap config; do
	"$base/replay/fuzz_$target" "stress/fuzz/corpus/$target.txt" \
		>"$work/log" 2>&1 || { echo "fuzz-control: the library itself fails:" \
		"$(fault_of "$work/log")" >&2; exit 1; }
done
for name in $(python3 $faults --list $list); do
	! wanted "$name" "$@" || control "$name"
done
rm -rf "$work/src" "$work/build"
echo "$nr_found found, $nr_missed missed"
[ "$nr_missed" -eq 0 ] && [ "$nr_found" -gt 0 ]
