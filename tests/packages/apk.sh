#!/bin/sh
# Calls the APKBUILD's functions as abuild does, in this system's shell and
# with its compiler, and looks at what they put together.
#
# Usage: apk.sh WORK
#
# What abuild itself adds (subpackages but for the one with a function of its
# own, fetching what makedepends names) is not seen here.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1/src" "$1/pkg" "$1/tools" "$1/lib"
work=$(cd "$1" && pwd)

# shellcheck source=../../packaging/APKBUILD
. "$here/packaging/APKBUILD"
pkgdir=$work/pkg
builddir=$work/src/$pkgname-$pkgver
mkdir "$builddir"
(cd "$here" && git archive HEAD) | tar -x -C "$builddir"

# This libc has argp itself.
ar rc "$work/lib/libargp.a"
export LIBRARY_PATH="$work/lib"

# abuild's: from the package to the subpackage.
amove() {
	mkdir -p "$subpkgdir/$(dirname "$1")"
	mv "$pkgdir/$1" "$subpkgdir/$1"
}

for step in build check package; do
	cd "$builddir"
	"$step"
done
subpkgdir=$work/tools
tools
[ -x "$subpkgdir/usr/bin/lanemalloc" ] || {
	echo "apk: no command" >&2
	exit 1
}

cd "$pkgdir"
for file in usr/lib/liblanemalloc.so.1 usr/lib/liblanemalloc.so.$pkgver \
	usr/lib/liblanemalloc.so usr/lib/liblanemalloc.a \
	usr/include/lanemalloc.h usr/lib/pkgconfig/lanemalloc.pc \
	usr/share/man/man1/lanemalloc.1 usr/share/licenses/lanemalloc/LICENSE; do
	[ -e "$file" ] || { echo "apk: no $file" >&2; exit 1; }
done
for word in "$pkgname" "$pkgver" "$pkgrel" "$pkgdesc" "$arch" "$license" \
	"$makedepends" "$subpackages" "$source"; do
	[ -n "$word" ] || { echo "apk: a variable is empty" >&2; exit 1; }
done
