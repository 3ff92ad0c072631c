#!/bin/bash
# about: MariaDB, 500 connections, a thread each, that query and come again
# packages: mariadb-server mariadb-client
# limit: 240
# threads: 500
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

connections=500

# shellcheck source=../../../tests/mariadb_server.sh
. "$tests/mariadb_server.sh"

start_mariadb $connections

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
