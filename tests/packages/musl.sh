#!/bin/bash
# The library for musl: it compiles, and programs run on it (direct path).
#
# Usage: musl.sh BUILD
#
# musl-gcc sees no header of the system's, so those of libck-dev, liburcu-dev
# and the kernel are linked into a directory of their own.
set -eu -o pipefail
cd "$(dirname "$0")/../.."

build=$(realpath -m "$1")
headers=$build/include
storms='churn clone large limit many mixed purge remote signal'

where_is() {
	printf '#include <%s>\n' "$1" | gcc -E -x c - |
		sed -n "s|^# 1 \"\(.*\)/$1\".*|\1|p" | sed 1q
}

mkdir -p "$headers"
ck=$(where_is ck_md.h)
urcu=$(where_is urcu/lfstack.h)
ln -sfn "$ck"/ck_*.h "$ck"/gcc "$urcu"/urcu "$urcu"/urcu*.h \
	"$(where_is asm/unistd.h)/asm" "$(where_is linux/futex.h)/linux" \
	"$(where_is asm-generic/unistd.h)/asm-generic" "$headers"
make -s BUILD="$build" CC=musl-gcc WERROR=1 \
	CROSS_INCLUDES="-isystem $headers" all

compile() {
	musl-gcc -std=gnu11 -O2 -fno-builtin-malloc -Isrc -Iinclude -Itests \
		-pthread "$@"
}

compile tests/packages/consumer.c "$build/liblanemalloc.so" -o "$build/consumer"
LD_LIBRARY_PATH=$build "$build/consumer"
compile -static tests/packages/consumer.c "$build/liblanemalloc.a" \
	-o "$build/archive"
"$build/archive"
for storm in $storms; do
	compile "tests/storm_$storm.c" -o "$build/storm_$storm"
	timeout 120 env LANEMALLOC_SO="$build/liblanemalloc.so" \
		LD_PRELOAD="$build/liblanemalloc.so" "$build/storm_$storm"
done
