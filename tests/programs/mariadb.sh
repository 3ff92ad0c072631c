#!/bin/bash
# packages: mariadb-server sysbench
# limit: 120
#
# A thread per connection, 500 connections: sysbench's read-write mix for 20
# seconds, then the tables are checked and the server stops by itself.
. "$(dirname "$0")/../lib.sh"
begin

connections=500
rows=10000

sql() {
	mariadb --no-defaults -u root -S "$work/data/socket" -N -B -e "$1"
}

bench() {
	must "$1" sysbench oltp_read_write --db-driver=mysql \
		--mysql-socket="$work/data/socket" --mysql-user=root \
		--mysql-db=lane --tables=2 --table-size=$rows \
		--mysql-ignore-errors=1213,1205,1020 "${@:2}"
}

as_user mysql
must_under install "${unprivileged[@]}" mariadb-install-db --no-defaults \
	--datadir="$work/data/db" --auth-root-authentication-method=normal \
	--skip-test-db
free_port
spawn server "${unprivileged[@]}" mariadbd --no-defaults \
	--datadir="$work/data/db" --socket="$work/data/socket" \
	--pid-file="$work/data/pid" --bind-address=127.0.0.1 --port="$port" \
	--max-connections=$((connections + 50)) --thread-cache-size=0 \
	--innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=0 \
	--skip-log-bin
wait_until 40 sql 'select 1' || fail "no answer: $(tail -n 1 "$log")"
is_under "$server"
sql 'create database lane' || fail "cannot create a database"
bench prepare prepare
bench run --threads=$connections --time=20 run
alive
# Connections that do one statement each and end their thread.
for round in 1 2 3 4 5 6 7 8 9 10; do
	sql "select $round" >/dev/null || fail "a short connection failed"
done
used=$(sql 'show status like "Max_used_connections"' | cut -f 2)
[ "$used" -ge $connections ] || fail "only $used connections at once"
for table in sbtest1 sbtest2; do
	seen=$(sql "check table lane.$table extended" | cut -f 4)
	[ "$seen" = OK ] || fail "check table $table: $seen"
	seen=$(sql "select count(*) from lane.$table")
	[ "$seen" = $rows ] || fail "$table has $seen rows of $rows"
done
transactions=$(sed -n 's/.*transactions: *\([0-9]*\).*/\1/p' log/run)
[ "${transactions:-0}" -gt 100 ] || fail "only $transactions transactions"
mariadb-admin --no-defaults -u root -S data/socket shutdown ||
	fail "shutdown is refused"
ends 40 || fail "the server exits with $?"
ok "$used connections, $transactions transactions, tables sound"
