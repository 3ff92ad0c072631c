#!/bin/bash
# packages: stress-ng
# limit: 60
# quick
#
# stress-ng's malloc stressor, 4 processes of 4 threads, verifying its blocks.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
begin

cd data || fail "no data directory"
must_under run stress-ng --malloc 4 --malloc-pthreads 4 --malloc-bytes 128M \
	--malloc-max 20000 --verify -t 8 --metrics-brief
grep -q 'successful run completed' ../log/run || fail "no successful run"
! grep -q -E 'fail:|error:' ../log/run ||
	fail "$(grep -m 1 -E 'fail:|error:' ../log/run)"
calls=$(sed -n 's/.*\] malloc  *\([0-9]*\) .*/\1/p' ../log/run)
[ "${calls:-0}" -gt 1000 ] || fail "only ${calls:-no} operations"
ok "$calls operations verified"
