#!/bin/bash
# about: MariaDB, 500 connections, a thread each, that query and come again
# packages: mariadb-server mariadb-client
# limit: 240
# threads: 500
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

connections=500

sql() {
	mariadb --no-defaults -u root -S "$work/data/socket" -N -B -e "$1"
}

as_user mysql
must install "${unprivileged[@]}" mariadb-install-db --no-defaults \
	--datadir="$work/data/db" --auth-root-authentication-method=normal \
	--skip-test-db --innodb-log-file-size=4M \
	--innodb-data-file-path=ibdata1:4M:autoextend
free_port
spawn server "${unprivileged[@]}" mariadbd --no-defaults \
	--datadir="$work/data/db" --socket="$work/data/socket" \
	--pid-file="$work/data/pid" --bind-address=127.0.0.1 --port="$port" \
	--max-connections=$((connections + 50)) --thread-cache-size=0 \
	--back-log=$connections --innodb-buffer-pool-size=32M \
	--innodb-log-file-size=4M --innodb-flush-log-at-trx-commit=0 \
	--innodb-data-file-path=ibdata1:4M:autoextend --skip-log-bin
wait_until 60 sql 'select 1' || fail "no answer: $(tail -n 1 "$log")"
is_under "$server"
sql 'create database lane; use lane;
	create table t (id int primary key, k int, body varchar(200), key (k));
	insert into t select seq, seq * 7919 % 10007,
		repeat(char(97 + seq % 26), seq % 200) from seq_1_to_5000;' ||
	fail "cannot make the table"

# A sort, an aggregate with a temporary table, strings, a prepared statement
# and a write; each client takes its own place in the table. After 16
# statements, twice the eight here, it hangs up and calls again, which ends
# the server's thread and starts another one.
cat >mix.sql <<'SQL'
set @a = floor(rand() * 4900);
select id, k, upper(body) from t where id between @a and @a + 60 order by body;
select k % 17, count(*), max(body) from t where id between @a and @a + 99
	group by k % 17 order by 2;
select length(group_concat(body)) from t where id between @a and @a + 50;
prepare p from 'select count(*) from t where id > ? and id < ? + 40';
execute p using @a, @a;
deallocate prepare p;
update t set k = k + 1 where id = @a;
SQL
operations=$(scaled 16000)
start=$(date +%s.%N)
must load mariadb-slap --no-defaults -u root -S "$work/data/socket" \
	--concurrency=$connections --number-of-queries="$operations" \
	--iterations=1 --detach=16 --delimiter=';' --create-schema=lane \
	--no-drop --query="$work/mix.sql"
end=$(date +%s.%N)
alive
made=$(sql 'show status like "Connections"' | cut -f 2)
[ "$made" -ge "$connections" ] || fail "only $made connections"
line=$(figures $connections "$operations" "$(between "$start" "$end")" \
	"$(server_cpu)" "$(server_peak)") || { echo "$line"; exit 1; }
mariadb-admin --no-defaults -u root -S data/socket shutdown ||
	fail "shutdown is refused"
ends 60 || fail "the server exits with $?"
echo "$line"
