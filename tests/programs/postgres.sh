#!/bin/bash
# packages: postgresql postgresql-contrib
# limit: 90
#
# A process per connection: pgbench with a new connection for each transaction
# (a fork storm), then 40 that stay; afterwards the sums of its bank agree.
. "$(dirname "$0")/../lib.sh"
begin

bin=$(find /usr/lib/postgresql -name pgbench -printf '%h\n' | sort | tail -n 1)
[ -n "$bin" ] || fail "no pgbench"

sql() {
	"${unprivileged[@]}" psql -h "$work/data" -p "$port" -U lane \
		-d postgres -A -t -c "$1"
}

bench() {
	must "$1" "${unprivileged[@]}" "$bin/pgbench" -h "$work/data" \
		-p "$port" -U lane "${@:2}" postgres
}

transactions() {
	sed -n 's/.*actually processed: \([0-9]*\).*/\1/p' "$work/log/$1"
}

as_user postgres
must_under initdb "${unprivileged[@]}" "$bin/initdb" -D "$work/data/db" \
	-U lane -A trust --no-sync
free_port
spawn server "${unprivileged[@]}" "$bin/postgres" -D "$work/data/db" \
	-p "$port" -k "$work/data" -c listen_addresses=127.0.0.1 -c fsync=off \
	-c max_connections=80 -c shared_buffers=32MB
wait_until 30 sql 'select 1' || fail "no answer: $(tail -n 1 "$log")"
is_under "$server"
bench init -i -q -s 2
bench storm -n -C -c 20 -j 2 -T 12
bench stay -n -c 40 -j 2 -T 6
alive
storm=$(transactions storm)
stay=$(transactions stay)
[ "${storm:-0}" -gt 100 ] || fail "only ${storm:-0} connections"
sums=$(sql 'select sum(abalance) = (select sum(tbalance) from pgbench_tellers)
	and sum(abalance) = (select sum(bbalance) from pgbench_branches)
	and sum(abalance) = (select sum(delta) from pgbench_history)
	from pgbench_accounts')
[ "$sums" = t ] || fail "the sums of the bank differ"
seen=$(sql 'select count(*) from pgbench_history')
[ "$seen" = $((storm + stay)) ] ||
	fail "$seen transactions of $((storm + stay)) in the history"
# Sorts, hashes, and JSON: allocations of other shapes.
seen=$(sql "select md5(string_agg(x, '')) = md5(string_agg(x, '')) from
	(select jsonb_build_object('n', n, 'm', md5(n::text))::text x
	from generate_series(1, 20000) n order by md5(n::text)) t")
[ "$seen" = t ] || fail "a query over JSON fails"
! grep -q -E 'terminated by signal|PANIC' log/server ||
	fail "$(grep -m 1 -E 'terminated by signal|PANIC' log/server)"
kill -INT "$server"
ends 20 || fail "the server exits with $?"
ok "$storm connections forked, $stay more transactions, sums agree"
