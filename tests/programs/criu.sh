#!/bin/bash
# packages: gcc libc6-dev criu
# limit: 400
#
# A program is written to files in the middle of its work, is no more, and goes
# on from them: its threads, the library's helper and the registration of rseq
# come back, and its blocks are whole. Where the package's criu does not run on
# this kernel, that of Debian's newest suite does it, with its libraries beside
# it. CRIU=COMMAND names another one. Where none runs nothing is known, and the
# result says so.
. "$(dirname "$0")/../lib.sh"
begin

criu=("${CRIU:-criu}")

runs_here() {
	"${criu[@]}" check >log/check 2>&1
}

# newest: criu is the newest suite's; false: it cannot be had.
newest() {
	local folder

	SUITE=sid NEEDED=1 "$tests/foreign-packages.sh" \
		"$(dpkg --print-architecture)" newest criu >log/fetch 2>&1 ||
		return
	folder=$(dirname newest/usr/lib/*/libc.so.6)
	criu=("$(compgen -G "$folder/ld-linux-*")" --library-path "$folder"
		newest/usr/sbin/criu)
}

if [ -z "${CRIU-}" ] && ! runs_here; then
	newest
fi
if ! runs_here; then
	ok "criu does not run here: $(tail -n 1 log/check)"
fi
must compile gcc -O1 -g -fno-builtin -pthread "$tests/programs/work.c" \
	-o work
mkdir data/image

rounds() {
	grep -c '^round ' log/work
}

later() {
	[ "$(rounds)" -gt "$1" ]
}

# criu keeps the descriptors: a terminal, or this script's own, it could not.
spawn work ./work until "$work/stop"
wait_until 20 later 2 || fail "it does not work"
is_under "$server"
must dump "${criu[@]}" dump -t "$server" -D data/image
wait "$server" 2>/dev/null
! kill -0 "$server" 2>/dev/null || fail "it is still there"
before=$(rounds)
must restore "${criu[@]}" restore -D data/image -d
wait_until 20 later $((before + 2)) || fail "it does not go on"
: >"$work/stop"
finished() {
	! kill -0 "$server" 2>/dev/null
}
end=$((SECONDS + 20))
until finished || [ "$SECONDS" -gt "$end" ]; do
	sleep 0.1
done
grep -q '^right ' log/work || fail "it did not end right"
version=$("${criu[@]}" --version | sed -n 's/^Version: //p')
seen=$(grep '^right ' log/work)
ok "criu $version: $seen, $before rounds before and $(($(rounds) - before)) after"
