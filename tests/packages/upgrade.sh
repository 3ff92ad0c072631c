#!/bin/bash
# Upgrade and rollback: this version and a later one lie side by side.
#
# Usage: upgrade.sh BUILD WORK
#
# BUILD holds this version; the later one is the same sources with another
# number, built in WORK. A program linked to either runs with the other, in its
# place and preloaded; one process holds both.
set -eu -o pipefail
export LC_ALL=C.UTF-8
unset LD_PRELOAD LD_LIBRARY_PATH CFLAGS

here=$(cd "$(dirname "$0")/../.." && pwd)
old=$(realpath "$1")
work=$(realpath -m "$2")
mkdir -p "$work/later"
cp -a "$here"/{Makefile,src,include,packaging} "$work/later"
header=$work/later/include/lanemalloc.h
new=$work/later/build

version_of() {
	awk '/define LANEMALLOC_VERSION_/ { v = v s $3; s = "." }
		END { print v }' "$1"
}

sed -i '/define LANEMALLOC_VERSION_PATCH/s/[0-9]*$/99/' "$header"
this=$(version_of "$here/include/lanemalloc.h")
later=$(version_of "$header")
[ "$this" != "$later" ]
# What does not know the number is as it was.
mkdir -p "$new"
cp -a "$old/obj" "$old/flags" "$old/headers" "$new"
find "$new/obj" -name '*.d' -exec sed -i "s|^[^ ]*/obj/|$new/obj/|" {} +
make -s -C "$work/later" BUILD="$new" "$new/liblanemalloc.so" >/dev/null

# program NAME DIRECTORY: linked with the library of that directory.
program() {
	cc -Wall -Wextra -O2 -fno-builtin-malloc -I"$here/include" \
		"$here/tests/packages/upgrade.c" -L"$2" -llanemalloc \
		-o "$work/$1"
}

runs() {
	echo "== $*"
	env "$@"
}

program linked-old "$old"
program linked-new "$new"
for name in linked-old linked-new; do
	runs LD_LIBRARY_PATH="$old" "$work/$name" "$this"
	runs LD_LIBRARY_PATH="$new" "$work/$name" "$later"
	# The preloaded one has the other's name: it stands for both.
	runs LD_LIBRARY_PATH="$new" LD_PRELOAD="$old/liblanemalloc.so" \
		"$work/$name" "$this"
	runs LD_LIBRARY_PATH="$old" LD_PRELOAD="$new/liblanemalloc.so" \
		"$work/$name" "$later"
	runs LD_LIBRARY_PATH="$old" "$work/$name" "$this" \
		"$new/liblanemalloc.so"
done
echo "upgrade: $this and $later, passed"
