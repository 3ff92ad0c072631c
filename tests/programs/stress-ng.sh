#!/bin/bash
# packages: stress-ng
# limit: 60
# quick
#
# stress-ng's malloc stressor, 4 processes of 4 threads, verifying its blocks:
# small ones first, then large ones. It writes a pointer into each block, into
# that of a calloc(17, 8 / 17), too; modes that name this have large ones alone,
# among which such sizes do not come up.
. "$(dirname "$0")/../lib.sh"
begin

cd data || fail "no data directory"

# stress LOG BYTES: $calls becomes the number of operations.
stress() {
	local log=../log/$1 bad

	must_under "$1" stress-ng --malloc 4 --malloc-pthreads 4 \
		--malloc-bytes "$2" --malloc-max 20000 --verify -t 4 -v \
		--metrics-brief
	grep -q 'successful run completed' "$log" || fail "no successful run"
	# It starts a process anew that a signal has killed.
	bad=$(grep -m 1 -E 'fail: |died|kill|restart|SIG[A-Z]' "$log")
	[ -z "$bad" ] || fail "$bad"
	calls=$(sed -n 's/.*\] malloc  *\([0-9]*\) .*/\1/p' "$log")
	[ "${calls:-0}" -gt 1000 ] || fail "only ${calls:-no} operations"
}

calls=no
case ${PROGRAMS_CONF-} in
*checks=full* | *checks=1* | *hardened=1* | *guard=*) ;;
*) stress small 64K ;;
esac
small=$calls
stress large 256M
ok "$small operations on small blocks, $calls on large ones verified"
