#!/bin/bash
# packages: redis-server redis-tools
# limit: 60
# quick
#
# A server that forks while it serves: snapshots under load, then the dump is
# checked by redis-check-rdb and read back by a second server, whose data must
# have the same digest. Values of all sizes, lists, hashes, sorted sets.
# shellcheck disable=SC2317 # functions that wait_until calls
. "$(dirname "$0")/../lib.sh"
begin

cli() {
	redis-cli -p "$port" "$@" 2>/dev/null
}

field() {
	cli info "$1" | tr -d '\r' | sed -n "s/^$2://p"
}

start() {
	free_port
	spawn "$1" redis-server --bind 127.0.0.1 --port "$port" --save "" \
		--appendonly no --dir "$work/data" --io-threads 2 \
		--enable-debug-command local --activedefrag no
	wait_until 20 cli ping || fail "no answer: $(tail -n 1 "$log")"
	wait_until 20 is_loaded || fail "the dump is not loaded"
	is_under "$server"
}

is_loaded() {
	[ "$(field persistence loading)" = 0 ]
}

snapshot() {
	local saved

	saved=$(field stats total_forks)
	cli bgsave >/dev/null || fail "BGSAVE is refused"
	wait_until 30 snapshot_is_over "$saved" || fail "BGSAVE does not end"
	[ "$(field persistence rdb_last_bgsave_status)" = ok ] ||
		fail "BGSAVE failed"
}

snapshot_is_over() {
	[ "$(field stats total_forks)" -gt "$1" ] &&
		[ "$(field persistence rdb_bgsave_in_progress)" = 0 ]
}

load() {
	launch bench redis-benchmark -p "$port" -c 100 -P 16 -r 20000 -q "$@"
}

bench() {
	load "$@"
	wait "$launched" || fail "the load failed: $(tail -n 1 log/bench)"
}

start server
for size in 16 100 1000 8000; do
	load -d "$size" -n 30000 -t set
	snapshot
	wait "$launched" || fail "the load failed: $(tail -n 1 log/bench)"
done
bench -d 50 -n 20000 -t lpush,hset,sadd,zadd,lpop
bench -n 20000 -t get
cli memory malloc-stats >/dev/null || fail "the statistics end the server"
alive
cli flushall async >/dev/null
bench -d 300 -n 50000 -t set,hset,zadd
cli debug populate 50000 filler 200 >/dev/null
snapshot
size=$(cli dbsize)
[ "$size" -gt 60000 ] || fail "only $size keys"
digest=$(cli debug digest)
cli shutdown nosave
ends 20 || fail "the server exits with $?"

must check redis-check-rdb "$work/data/dump.rdb"
start reloaded
[ "$(cli dbsize)" = "$size" ] || fail "$(cli dbsize) keys of $size reloaded"
[ "$(cli debug digest)" = "$digest" ] || fail "the reloaded data differ"
cli shutdown nosave
ends 20 || fail "the second server exits with $?"
ok "5 snapshots under load, $size keys reloaded with an equal digest"
