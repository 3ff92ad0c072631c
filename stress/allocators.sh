#!/usr/bin/env bash
# The allocators to compare, one "NAME LIBRARY" a line; "-" preloads nothing.
#
# glibc, lanemalloc (LANEMALLOC_SO, or the one that is built), and Debian's
# jemalloc, mimalloc and tcmalloc_minimal where they are installed.
# ALLOCATORS, a list of NAME or NAME=LIBRARY, chooses among them or adds some.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 2

# say NAME LIBRARY
say() {
	local path

	path=$(realpath "$2") || exit 2
	case $path in
	*[[:space:]:]*)
		echo "allocators.sh: $path: LD_PRELOAD takes no path with" \
			"a space or a colon" >&2
		exit 2 ;;
	esac
	echo "$1" "$path"
}

known() {
	local lane=${LANEMALLOC_SO:-${BUILD:-build}/liblanemalloc.so}
	local name

	echo glibc -
	[ ! -e "$lane" ] || say lanemalloc "$lane"
	for name in jemalloc mimalloc tcmalloc_minimal; do
		PATH=$PATH:/sbin:/usr/sbin ldconfig -p |
			awk -v name="$name" '$1 ~ "^lib" name "\\.so" {
				print name, $NF; exit }'
	done
}

[ -n "${ALLOCATORS:-}" ] || { known; exit; }
for one in $ALLOCATORS; do
	case $one in
	*=*)
		if [ ! -r "${one#*=}" ]; then
			echo "allocators.sh: $one: no such file" >&2
			exit 2
		fi
		say "${one%%=*}" "${one#*=}" ;;
	*)
		if ! known | grep "^$one "; then
			echo "allocators.sh: no $one here" >&2
			exit 2
		fi ;;
	esac
done
