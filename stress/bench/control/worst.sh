#!/bin/bash
# The control of what `load worst` tells apart: one malloc takes 5 ms, and a
# busy loop runs on the same CPU.
#
# Usage: worst.sh LOAD_PROGRAM SLOW_LIBRARY
#
# What the call worked or waited is its own; what it let others run is not.
set -u -o pipefail
export LC_ALL=C

if [ $# -ne 2 ]; then
	echo "usage: worst.sh LOAD_PROGRAM SLOW_LIBRARY" >&2
	exit 2
fi
program=$1
library=$(realpath "$2") || exit 2
cpu=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')
nr_wrong=0

# As long as this script lives, if it is killed.
be_busy() {
	taskset -cp "$cpu" "$BASHPID" >/dev/null
	while kill -0 $$ 2>/dev/null; do
		for ((i = 0; i < 100000; i++)); do :; done
	done
}

be_busy &
busy=$!

# Nanoseconds of a key of the line.
figure() {
	awk -v key="$2" '{ for (i = 1; i < NF; i++) if ($i == key)
		printf "%.0f\n", $(i + 1) }' <<<"$1"
}

# run HOW IS_OWN: whether it is told so; the timeout is a guard only.
run() {
	local all own

	text=$(SLOW=$1 LD_PRELOAD=$library timeout 600 \
		taskset -c "$cpu" "$program" worst --scale 0.01)
	all=$(figure "$text" malloc_worst)
	own=$(figure "$text" malloc_own)
	[ "${all:-0}" -ge 5000000 ] && [ -n "$own" ] &&
		[ $((own >= 5000000)) -eq "$2" ]
}

# A machine that is busy, or taken away by a hypervisor, may put one run in the
# wrong: so many may be.
MOST_RUNS=5
try() {
	local how=$1 text turn

	for ((turn = 0; turn < MOST_RUNS; turn++)); do
		run "$@" && return
	done
	nr_wrong=$((nr_wrong + 1))
	echo "control: worst, $how: $text" >&2
}

try spin 1
try sleep 1
try yield 0
kill "$busy"
wait "$busy" 2>/dev/null
echo "control: worst, 3 runs, $nr_wrong wrong"
[ "$nr_wrong" -eq 0 ]
