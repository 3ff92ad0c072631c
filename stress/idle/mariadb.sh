#!/bin/bash
# packages: mariadb-server mariadb-client
# limit: 240
#
# MariaDB after 200 connections, a thread each, that sorted and grouped.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

sql() {
	mariadb --no-defaults -u root -S "$work/data/socket" -N -B -e "$1"
}

begin
as_user mysql
must install "${unprivileged[@]}" mariadb-install-db --no-defaults \
	--datadir="$work/data/db" --auth-root-authentication-method=normal \
	--skip-test-db --innodb-log-file-size=4M \
	--innodb-data-file-path=ibdata1:4M:autoextend
free_port
spawn server "${unprivileged[@]}" mariadbd --no-defaults \
	--datadir="$work/data/db" --socket="$work/data/socket" \
	--pid-file="$work/data/pid" --bind-address=127.0.0.1 --port="$port" \
	--max-connections=250 --thread-cache-size=0 --back-log=200 \
	--innodb-buffer-pool-size=32M --innodb-log-file-size=4M \
	--innodb-flush-log-at-trx-commit=0 \
	--innodb-data-file-path=ibdata1:4M:autoextend --skip-log-bin
wait_until 60 sql 'select 1' || fail "no answer: $(tail -n 1 "$log")"
is_under "$server"
sql 'create database lane; use lane;
	create table t (id int primary key, k int, body varchar(200), key (k));
	insert into t select seq, seq * 7919 % 10007,
		repeat(char(97 + seq % 26), seq % 200) from seq_1_to_5000;' ||
	fail "cannot make the table"
cat >mix.sql <<'SQL'
set @a = floor(rand() * 4000);
select id, k, upper(body) from t where id between @a and @a + 900 order by body;
select k % 170, count(*), max(body) from t where id between @a and @a + 900
	group by k % 170 order by 2;
select length(group_concat(body)) from t where id between @a and @a + 500;
SQL
must load mariadb-slap --no-defaults -u root -S "$work/data/socket" \
	--concurrency=200 --number-of-queries=6000 --iterations=1 \
	--delimiter=';' --create-schema=lane --no-drop --query="$work/mix.sql"
settle
