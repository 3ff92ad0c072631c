#!/bin/bash
# Builds small programs against an installed library in every way that its
# files offer, and runs them.
#
# Usage: consumer.sh PREFIX
#
# PREFIX is what `make install` had, below its DESTDIR: a staged tree works
# as well as /usr. Exit status: 0 where all programs ran on the library.
set -eu -o pipefail
export LC_ALL=C.UTF-8
unset LD_PRELOAD MAKEFLAGS MFLAGS CFLAGS CXXFLAGS

here=$(cd "$(dirname "$0")" && pwd)
prefix=$(realpath "$1")
pc=$(find "$prefix"/lib* -path '*/pkgconfig/lanemalloc.pc' | sed 1q)
[ -n "$pc" ] || { echo "consumer: no lanemalloc.pc below $prefix" >&2; exit 1; }
libdir=$(dirname "$(dirname "$pc")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

runs() {
	LD_LIBRARY_PATH=$libdir "$@" || {
		echo "consumer: $* failed" >&2
		exit 1
	}
	echo "ok: ${1##*/}, $how"
}

# A staged tree lies elsewhere than its files say, and says so here.
pkg() {
	PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 \
		pkg-config --define-variable=prefix="$prefix" "$@" lanemalloc
}

how=pkg-config
read -r -a cflags < <(pkg --cflags)
read -r -a libs < <(pkg --libs)
for name in consumer silent; do
	cc -Wall -Wextra -O2 -fno-builtin-malloc "${cflags[@]}" \
		"$here/$name.c" -Wl,--as-needed "${libs[@]}" -o "$work/$name"
	runs "$work/$name"
done
[ "$(LD_LIBRARY_PATH=$libdir "$work/consumer")" = "$(pkg --modversion)" ]
c++ -std=c++17 -Wall -Wextra -O2 "${cflags[@]}" "$here/pmr.cc" \
	"${libs[@]}" -pthread -o "$work/pmr"
runs "$work/pmr"

how='the archive'
for form in -static -static-pie ''; do
	cc -O2 -fno-builtin-malloc ${form:+"$form"} "${cflags[@]}" \
		"$here/consumer.c" "$libdir/liblanemalloc.a" -o "$work/archive"
	runs "$work/archive"
done

how=CMake
cmake -S "$here" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" \
	-DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS=-fno-builtin-malloc \
	>"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
cmake --build "$work/cmake" >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
for name in consumer silent archive pmr; do
	runs "$work/cmake/$name"
done
