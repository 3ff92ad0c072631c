#!/bin/bash
# Debian packages in a fresh root: installed, used, removed without a trace; and
# once more by autopkgtest, where that is installed.
#
# Usage: root.sh DIRECTORY [WORK]
#
# DIRECTORY holds what `make deb` built. The root is made by debootstrap, of
# the release and from the mirror that this machine's apt uses, below WORK
# (a temporary directory) and is removed at the end. Needs root's rights and
# that mirror, and several hundred megabytes.
set -eu -o pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

here=$(cd "$(dirname "$0")/../.." && pwd)
debs=$(realpath "$1")
given=${2:-}
work=${given:-$(mktemp -d)}
root=$work/root
needs=python3-minimal,perl-base,gcc,g++,libc6-dev,pkg-config,cmake,make
needs=$needs,libncursesw6,libmicrohttpd12,man-db

fail() {
	echo "root: $*" >&2
	exit 1
}

cleanup() {
	umount "$root/proc" 2>/dev/null || :
	rm -rf --one-file-system "$root"
	[ -n "$given" ] || rm -rf --one-file-system "$work"
}

inside() {
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

step() {
	echo "== $*"
}

[ "$(id -u)" -eq 0 ] || fail "needs root's rights"
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format "\$(RELEASE) \$(SITE)" \
	"Created-By: Packages" | awk -v s="$suite" '$1 == s { print $2; exit }')
[ -n "$mirror" ] || fail "apt knows no mirror of $suite"
mkdir -p "$work"
trap 'cleanup' EXIT

step "a root of $suite"
debootstrap --variant=minbase --include="$needs" "$suite" "$root" "$mirror" \
	>"$work/debootstrap.log" 2>&1 || {
	tail -n 20 "$work/debootstrap.log" >&2
	fail "debootstrap failed"
}
mount -t proc proc "$root/proc"
mkdir "$root/debs" "$root/source"
cp "$debs"/*lanemalloc*.deb "$root/debs"
cp -r "$here/debian" "$here/tests" "$root/source"
inside find / -xdev -path /debs -prune -o -path /source -prune -o \
	-print | sort >"$work/before"

step "install liblanemalloc1"
inside sh -c 'dpkg -i /debs/liblanemalloc1_*.deb'
inside ldconfig -p | grep -F liblanemalloc.so.1 ||
	fail "the loader does not know the library"
step "use it"
inside /source/debian/tests/preload

step "install liblanemalloc-dev"
inside sh -c 'dpkg -i /debs/liblanemalloc-dev_*.deb'
step "build with it"
inside sh -c 'cd /source && debian/tests/link'

step "install lanemalloc, the command"
inside sh -c 'dpkg -i /debs/lanemalloc_*.deb'
inside /source/debian/tests/command
for page in 1:lanemalloc 5:lanemalloc.conf 7:lanemalloc; do
	inside man "${page%%:*}" "${page#*:}" | grep -q NAME ||
		fail "no page ${page#*:}(${page%%:*})"
done

step "remove all"
inside dpkg --purge lanemalloc liblanemalloc-dev liblanemalloc1
! inside sh -c 'command -v lanemalloc' || fail "the command is still there"
! inside ldconfig -p | grep -F liblanemalloc ||
	fail "the loader still knows the library"
# dpkg's and ldconfig's own records change; nothing else may stay or go.
inside find / -xdev -path /debs -prune -o -path /source -prune -o \
	-print | sort >"$work/after"
changed=$(diff "$work/before" "$work/after" | grep '^[<>]' | grep -v -E \
	'/var/(lib/dpkg|log|cache)|/etc/ld.so.cache|__pycache__' || :)
[ -z "$changed" ] || fail "the packages left these, or took them along:" \
	"$changed"

# It installs the packages itself, and what each test names besides.
if command -v autopkgtest >/dev/null; then
	step "autopkgtest"
	autopkgtest --no-built-binaries "$debs"/*lanemalloc*.deb \
		"$root/source/" -- chroot "$root" >"$work/autopkgtest.log" 2>&1 ||
		{ tail -n 40 "$work/autopkgtest.log" >&2; fail "autopkgtest"; }
	grep -E '^[a-z]+ +(PASS|SKIP|FAIL)' "$work/autopkgtest.log"
fi
echo "root: passed"
