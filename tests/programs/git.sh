#!/bin/bash
# packages: git
# limit: 60
# quick
#
# A repository made on the fly: imported, packed by threads, cloned, collected
# and checked; the clone's history is the original's.
. "$(dirname "$0")/../lib.sh"
begin

export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null

# 300 commits, each of which changes a few of 200 files.
history() {
	awk 'BEGIN {
		srand(1)
		for (c = 1; c <= 300; c++) {
			print "commit refs/heads/main"
			print "committer A <a@example.org> " 1700000000 + c " +0000"
			print "data 9\ncommit " sprintf("%02d", c % 100)
			for (f = 0; f < 8; f++) {
				text = ""
				for (i = 0; i < 40 + c % 60; i++)
					text = text sprintf("%d line %d\n",
						(c * 7 + f * 13 + i % 5), i)
				print "M 100644 inline d" (f + c) % 9 "/f" (f * c) % 200
				print "data " length(text) "\n" text
			}
		}
	}'
}

history >stream || fail "cannot write the history"
must_under init git init -q -b main origin
must_under import bash -c 'git -C origin fast-import --quiet <stream'
must_under repack git -C origin repack -q -a -d -f --threads=8 --window=50
must_under clone git clone -q --no-local origin clone
must_under checkout git -C clone checkout -q -B work main~50
must_under gc git -C clone gc -q --aggressive --prune=now
must_under fsck git -C clone fsck --full --strict --no-progress
must_under diff git -C clone log -p --stat main
must plain git -C origin log -p --stat main
cmp -s log/diff log/plain || fail "the clone's history differs"
must plain_fsck git -C clone fsck --full --strict --no-progress
commits=$(git -C clone rev-list --count main)
[ "$commits" = 300 ] || fail "$commits commits of 300"
ok "$commits commits packed, cloned, collected; fsck clean, history equal"
