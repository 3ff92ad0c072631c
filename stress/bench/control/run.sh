#!/bin/bash
# The negative control of --verify: every load under a malloc that errs.
#
# Usage: run.sh LOAD_PROGRAM BROKEN_LIBRARY [NAME...]
#
# Without names, all loads. Each must end well under the malloc that makes no
# fault, and with a line of its own and status 1 under each of its faults; or
# by a signal, since a wrong pointer may be followed before it is checked.
set -u -o pipefail
export LC_ALL=C

if [ $# -lt 2 ]; then
	echo "usage: run.sh LOAD_PROGRAM BROKEN_LIBRARY [NAME...]" >&2
	exit 2
fi
program=$1
library=$(realpath "$2") || exit 2
shift 2
nr_runs=0
nr_wrong=0

# Faults that a load can meet. With one thread, cycles and those of cache
# lines have one block at a time, as collatz-vector has one vector; nodes of
# 16 bytes overlap as a whole or not at all; the lock-free table goes round in
# circles once a node is in it twice.
faults_of() {
	case $1 in
	cycles | cache-scratch | cache-thrash) echo none ;;
	calloc) echo none twice overlap dirty ;;
	collatz-list) echo none twice ;;
	collatz-vector) echo none short ;;
	realloc-ladder | vectors) echo none twice overlap short ;;
	aligned) echo none twice overlap crooked ;;
	rcu-hash) echo none overlap ;;
	*) echo none twice overlap ;;
	esac
}

# The timeout is a guard only.
try() {
	local name=$1 fault=$2 text status

	text=$(BROKEN=$fault LD_PRELOAD=$library timeout 600 "$program" \
		"$name" --verify --scale 0.01 2>&1)
	status=$?
	nr_runs=$((nr_runs + 1))
	case $fault,$status,$text in
	none,0,"$name "*) return ;;
	none,*) ;;
	*,1,"load: "* | *,13[1-9],*) return ;;
	esac
	nr_wrong=$((nr_wrong + 1))
	echo "control: $name, fault $fault: status $status: $text" >&2
}

if [ $# -eq 0 ]; then
	names=$("$program" --list) || exit 2
	mapfile -t names <<<"$names"
	set -- "${names[@]%% *}"
fi
for name in "$@"; do
	for fault in $(faults_of "$name"); do
		try "$name" "$fault"
	done
done
echo "control: $nr_runs runs, $nr_wrong wrong"
[ "$nr_runs" -gt 0 ] && [ "$nr_wrong" -eq 0 ]
