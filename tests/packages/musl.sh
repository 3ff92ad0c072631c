#!/bin/bash
# The library for musl: it compiles, and programs run on it, from lanes.
#
# Usage: musl.sh BUILD
#
# musl-gcc sees no header of the system's, so those of libck-dev, liburcu-dev
# and the kernel are linked into a directory of their own. Storms are linked to
# the library, not preloaded: their shells are another libc's programs. In a
# static program clone() is libc's (clone_real.c).
set -eu -o pipefail
cd "$(dirname "$0")/../.."

build=$(realpath -m "$1")
headers=$build/include
storms='churn clone detached fork large limit many migrate mixed purge remote
	signal vfork'
static_storms='detached fork mixed vfork'

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

# run NAME SOURCE FLAG...: compiles a program and runs it; preload is a library
# or empty.
run() {
	local program=$build/$1

	shift
	musl-gcc -std=gnu11 -O2 -fno-builtin-malloc -isystem "$headers" -Isrc \
		-Iinclude -Itests -pthread "$@" -o "$program"
	env LANEMALLOC_SO="$build/liblanemalloc.so" LD_PRELOAD="$preload" \
		"$program"
}

preload=
shared() {
	run "$1" "$2" "$build/liblanemalloc.so" -Wl,-rpath,"$build"
}

static() {
	run "$1.static" "$2" -static "$build/liblanemalloc.a"
}

for program in consumer lanes; do
	shared "$program" "tests/packages/$program.c"
	static "$program" "tests/packages/$program.c"
done
for storm in $storms; do
	shared "storm_$storm" "tests/storm_$storm.c"
done
for storm in $static_storms; do
	static "storm_$storm" "tests/storm_$storm.c"
done
preload=$build/liblanemalloc.so
run storm_mixed.preloaded tests/storm_mixed.c

# A root in which there is this libc and no other, as Alpine's is, and neither
# /proc nor /sys.
root=$build/root
loader=$(readelf -l "$build/lanes" |
	sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
rm -rf "$root"
mkdir -p "$root/lib"
cp -L "$loader" "$root$loader"
cp "$build/liblanemalloc.so.1" "$root/lib"
cp "$build/lanes" "$build/storm_mixed.preloaded" "$build"/lanes.static "$root"
if unshare -rm true 2>/dev/null; then
	for program in lanes lanes.static; do
		unshare -rm chroot "$root" "/$program"
	done
	# A library that its loader does not find is passed over in silence.
	# shellcheck disable=SC2016 # expanded by the inner shell
	LD_PRELOAD='' LANEMALLOC_CONF=verbose=1 unshare -rm sh -c \
		'exec chroot "$1" "$2" --preload /lib/liblanemalloc.so.1 \
			/storm_mixed.preloaded' sh "$root" "$loader" \
		2>"$build/root.says" || { cat "$build/root.says"; exit 1; }
	grep 'lanemalloc.* mode ' "$build/root.says"
else
	echo 'musl: no right to make namespaces; the bare root is left out'
fi
