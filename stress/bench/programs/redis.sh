#!/bin/bash
# about: redis-server, pipelined SET GET LPUSH HSET ZADD, random deletes
# packages: redis-server redis-tools
# limit: 120
# quick
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

cli() {
	redis-cli -p "$port" "$@" 2>/dev/null
}

# load REQUESTS ARGUMENT...
load() {
	operations=$((operations + $1))
	must load redis-benchmark -p "$port" -c 50 -P 16 -r 50000 -q -n "$@"
}

# The package's server has jemalloc linked in; libc.so.6, preloaded, stands
# before it.
[ -n "$preload" ] ||
	preload=$(ldd "$(command -v redis-server)" |
		awk '$1 == "libc.so.6" { print $3 }')
free_port
spawn server redis-server --bind 127.0.0.1 --port "$port" --save "" \
	--appendonly no --dir "$work/data" --activedefrag no
wait_until 20 cli ping || fail "no answer: $(tail -n 1 "$log")"
is_under "$server"

operations=0
requests=$(scaled 60000)
start=$(date +%s.%N)
for size in 16 1000 100 4000 300; do
	load "$requests" -d "$size" -t set
done
for kind in lpush hset sadd zadd; do
	load "$((requests / 2))" -d 200 -t "$kind"
done
load "$requests" -t get
load "$requests" del key:__rand_int__
end=$(date +%s.%N)
alive
[ "$(cli dbsize)" -gt 0 ] || fail "no key is left"
line=$(figures 1 "$operations" "$(between "$start" "$end")" \
	"$(server_cpu)" "$(server_peak)") || { echo "$line"; exit 1; }
cli shutdown nosave
ends 20 || fail "the server exits with $?"
echo "$line"
