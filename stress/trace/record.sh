#!/bin/bash
# Records the traces of traces/ anew: real programs of Debian, each with a
# small load of its own.
#
# Usage: record.sh [NAME...]
#
# NAME is one of: gcc git node python redis sqlite. Wants build/memory's
# recorder (make recorder). What is recorded differs a little each time.
set -eu -o pipefail
PATH=/usr/bin:/bin
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
build=$(cd "$root/${BUILD:-build}" && pwd)
programs=$root/stress/bench/programs
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"

# record COMMAND...: its processes that begin by exec
record() {
	LANE_TRACE=$work/raw LD_PRELOAD=$build/memory/recorder.so "$@"
}

# keep NAME: the process that did most
keep() {
	local most

	most=$(du -a "$work" | grep '/raw\.' | sort -n | tail -n 1 | cut -f 2)
	mkdir -p "$here/traces"
	"$here/convert.py" "$most" "$here/traces/$1.trace.xz"
	rm -f "$work"/raw.*
}

record_gcc() {
	python3 -B "$programs/c_source.py" 30 >source.c
	record "$(gcc -print-prog-name=cc1)" -quiet -O1 source.c -o source.s
	keep gcc
}

# A history of 300 commits, which git packs with two threads.
record_git() {
	local i

	git init -q history
	for i in $(seq 300); do
		python3 -c 'import random, sys
random.seed(int(sys.argv[1]) % 40)
for _ in range(random.randrange(4000)):
    print("%x" % random.getrandbits(random.randrange(1, 400)))' "$i" \
			>"history/$((i % 40)).txt"
		echo "$i" >>"history/$((i % 7)).log"
		git -C history add .
		git -C history -c user.name=a -c user.email=a@b \
			-c gc.auto=0 commit -q -m "$i"
	done
	record git -C history -c pack.threads=2 repack -q -a -d -f
	keep git
}

record_node() {
	record node "$here/load.js"
	keep node
}

record_python() {
	record env PYTHONMALLOC=malloc PYTHONHASHSEED=0 python3 -S -B \
		"$programs/python_load.py" 1 >/dev/null
	keep python
}

# Values of all sizes that expire after a second or two; then all of them go.
record_redis() {
	record redis-server --bind 127.0.0.1 --port 7391 --save "" \
		--appendonly no --dir "$work" --activedefrag no >log &
	server=$!
	python3 "$here/load_redis.py" 7391
	wait "$server" || true
	server=
	keep redis
}

record_sqlite() {
	sed "s/@ROWS@/60000/" "$programs/load.sql" >load.sql
	record sqlite3 -batch :memory: '.bail on' '.read load.sql' >/dev/null
	keep sqlite
}

[ $# -gt 0 ] || set -- gcc git node python redis sqlite
for name; do
	"record_$name"
done
