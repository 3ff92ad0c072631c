#!/bin/bash
# The binary interface is the recorded one.
#
# Usage: abi.sh BUILD [--record]
#
#	debian/liblanemalloc1.symbols	every exported name and its version:
#				one that is missing breaks programs, one more
#				is a promise that somebody has to write down.
#				VERSION~ is below every build of VERSION, so
#				that dpkg-gensymbols, too, misses a lost name
#	packaging/liblanemalloc.so.1.abi	the types of functions and of
#				struct lanemalloc_stats, for abidiff
#
# --record writes both: new names get the version of the header, none is
# ever removed. Without abidiff the names alone are compared.
set -eu -o pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C

so=$1/liblanemalloc.so
symbols=debian/liblanemalloc1.symbols
types=packaging/liblanemalloc.so.1.abi
suppressed=packaging/abi.suppr
version=$(awk '/define LANEMALLOC_VERSION_/ { v = v s $3; s = "." }
	END { print v }' include/lanemalloc.h)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -D --defined-only "$so" | awk '{
	name = $3
	sub(/@@/, "@", name)
	if ($2 == "A")
		name = name "@" name
	else if (name !~ /@/)
		name = name "@Base"
	print name }' | sort >"$work/built"
awk '/^ / { print $1 }' "$symbols" | sort >"$work/recorded"
comm -23 "$work/recorded" "$work/built" >"$work/missing"
comm -13 "$work/recorded" "$work/built" >"$work/new"

record() {
	sed "s/.*/ & $version~/" "$work/new" >"$work/lines"
	grep '^ ' "$symbols" | sort - "$work/lines" >"$work/all"
	{ grep -v '^ ' "$symbols"; cat "$work/all"; } >"$work/symbols"
	cp "$work/symbols" "$symbols"
	abidw --exported-interfaces-only --no-architecture --no-elf-needed \
		--headers-dir include --drop-private-types --no-show-locs \
		--no-corpus-path --no-comp-dir-path --type-id-style hash \
		"$so" >"$types"
}

if [ "${2:-}" = --record ]; then
	record
	exit
fi

status=0
while read -r name; do
	echo "no longer exported: $name"
	status=1
done <"$work/missing"
while read -r name; do
	echo "exported, not recorded (abi.sh BUILD --record): $name"
	status=1
done <"$work/new"
if ! command -v abidiff >/dev/null; then
	echo "abidiff is not installed: types not compared"
elif ! readelf -SW "$so" | grep -F .debug_info >/dev/null; then
	echo "built without -g: types not compared"
	status=1
elif ! abidiff --no-added-syms --no-architecture --exported-interfaces-only \
	--suppressions "$suppressed" "$types" "$so"; then
	status=1
fi
[ $status -ne 0 ] || echo "$(wc -l <"$work/built") names as recorded"
exit $status
