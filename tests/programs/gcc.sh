#!/bin/bash
# packages: gcc make libck-dev liburcu-dev
# limit: 150
#
# make -j and gcc compile this library, with the library preloaded into all of
# them: every object is, to the byte, the one that they compile without it.
. "$(dirname "$0")/../lib.sh"
begin

build() {
	"$1" "$2" env -u MAKEFLAGS -u MAKELEVEL make -C "$root" -j2 \
		BUILD="$work/build" all
	mv build "$2" || fail "nothing was built"
}

build must plain
build must_under seen
objects=0
while read -r object; do
	cmp -s "plain/$object" "seen/$object" || fail "$object differs"
	objects=$((objects + 1))
done < <(cd plain && find . -name '*.o' -o -name '*.so' -o -name '*.a')
[ "$objects" -gt 3 ] || fail "only $objects objects"
ok "$objects objects, archives and libraries identical"
