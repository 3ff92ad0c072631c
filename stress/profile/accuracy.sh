#!/usr/bin/env bash
# Profiles by samples against exact counts, of three loads: accuracy.py.
#
# Usage: BUILD=build stress/profile/accuracy.sh
set -u
cd "$(dirname "$0")/../.." || exit 2
BUILD=${BUILD:-build}
so=$(realpath "$BUILD/liblanemalloc.so") || exit 2
status=0

compare() {
	python3 stress/profile/accuracy.py "$so" "$@" || status=1
}

compare load "$BUILD/profile-load"
# shellcheck disable=SC2016
compare perl perl -e '
	for $i (1 .. 200000) { $h{"key $i"} = [$i, "x" x ($i % 90)]; }
	for (values %h) { $n += @{$_}; }'
# shellcheck disable=SC2016
compare awk awk 'BEGIN {
	for (i = 0; i < 300000; i++) a[i] = i " and " i
	for (i in a) n += length(a[i]) }'
exit $status
