# shellcheck shell=bash disable=SC2154 # lib.sh sets what is read here
# Sourced behind lib.sh: a MariaDB server of its own, with a table to work on.

sql() {
	mariadb --no-defaults -u root -S "$work/data/socket" -N -B -e "$1"
}

# start_mariadb CONNECTIONS: begin() has been called; the pid is $server.
start_mariadb() {
	as_user mysql
	must install "${unprivileged[@]}" mariadb-install-db --no-defaults \
		--datadir="$work/data/db" \
		--auth-root-authentication-method=normal --skip-test-db \
		--innodb-log-file-size=4M \
		--innodb-data-file-path=ibdata1:4M:autoextend
	free_port
	spawn server "${unprivileged[@]}" mariadbd --no-defaults \
		--datadir="$work/data/db" --socket="$work/data/socket" \
		--pid-file="$work/data/pid" --bind-address=127.0.0.1 \
		--port="$port" --max-connections=$(($1 + 50)) \
		--thread-cache-size=0 --back-log="$1" \
		--innodb-buffer-pool-size=32M --innodb-log-file-size=4M \
		--innodb-flush-log-at-trx-commit=0 \
		--innodb-data-file-path=ibdata1:4M:autoextend --skip-log-bin
	wait_until 60 sql 'select 1' || fail "no answer: $(tail -n 1 "$log")"
	is_under "$server"
	sql 'create database lane; use lane; create table t
		(id int primary key, k int, body varchar(200), key (k));
		insert into t select seq, seq * 7919 % 10007,
		repeat(char(97 + seq % 26), seq % 200) from seq_1_to_5000;' ||
		fail "cannot make the table"
}
