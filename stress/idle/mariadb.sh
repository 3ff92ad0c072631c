#!/bin/bash
# packages: mariadb-server mariadb-client
# limit: 240
#
# MariaDB after 200 connections, a thread each, that sorted and grouped.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

# shellcheck source=../../tests/mariadb_server.sh
. "$tests/mariadb_server.sh"

begin
start_mariadb 200
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
