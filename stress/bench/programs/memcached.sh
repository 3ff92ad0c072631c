#!/bin/bash
# about: memcached with 64 threads, 256 connections that set and get
# packages: memcached libmemcached-tools
# limit: 120
# threads: 64
# quick
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

# Lengths of keys and values, and the share of set (0) and get (1).
cat >mix <<'MIX'
key
16 64 1
value
20 200 0.5
400 2000 0.4
4000 30000 0.1
cmd
0 0.4
1 0.6
MIX

free_port
as_user memcache
spawn server "${unprivileged[@]}" memcached -l 127.0.0.1 -p "$port" -U 0 \
	-t 64 -c 2000 -m 256
wait_port
is_under "$server"
operations=$(scaled 120000)
start=$(date +%s.%N)
must load memcaslap -s "127.0.0.1:$port" -F mix -T 2 -c 256 -w 1k \
	-x "$operations"
end=$(date +%s.%N)
alive
grep -q '^Run time' log/load || fail "the load tells nothing"
line=$(figures 64 "$operations" "$(between "$start" "$end")" \
	"$(server_cpu)" "$(server_peak)") || { echo "$line"; exit 1; }
kill -TERM "$server"
ends 10 || fail "the server exits with $?"
echo "$line"
