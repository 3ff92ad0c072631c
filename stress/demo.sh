#!/bin/bash
# packages: redis-server redis-tools
# limit: 240
#
# A real redis-server under load, side by side with the malloc that it is
# shipped with, with glibc's and with lanemalloc. Each server is driven in the
# same way by redis-benchmark: 200 clients, pipelining, values of 16 to 8000
# bytes that overwrite each other, a snapshot by fork meanwhile, lists, hashes
# and sets, random deletes, then a FLUSHALL and rest. The servers take turns;
# the table holds the medians of the rounds.
#
# Environment: LANEMALLOC (or LANEMALLOC_SO), ROUNDS (2).
# shellcheck source-path=SCRIPTDIR source=../tests/lib.sh
. "$(dirname "$0")/../tests/lib.sh"

rounds=${ROUNDS:-2}
keys=50000
sizes=(16 100 1000 4000 300 8000 2000 50)
known=400

cli() {
	redis-cli -p "$port" "$@" 2>/dev/null
}

# One number or word of INFO.
field() {
	cli info "$1" | tr -d '\r' | sed -n "s/^$2://p"
}

memory_of() {
	awk -v key="$1:" '$1 == key { print $2 * 1024 }' "/proc/$server/status"
}

# User and system time, also of the children that ended.
cpu_seconds() {
	sed 's/.*) //' "/proc/$server/stat" |
		awk -v hz="$(getconf CLK_TCK)" \
		'{ print ($12 + $13 + $14 + $15) / hz }'
}

note() {
	echo "$which $1 $2" >>"$work/results"
}

died() {
	fail "the server with $which died or hangs ($1):" \
		"$(tail -q -n 1 "$log" "$work/log/$which.redis")"
}

### The malloc that a server uses

find_mallocs() {
	local libraries

	redis=$(command -v redis-server) || fail "no redis-server"
	libraries=$(ldd "$redis")
	libc=$(awk '$1 == "libc.so.6" { print $3 }' <<<"$libraries")
	[ -r "$libc" ] || fail "redis-server does not use glibc"
	preload_of[glibc]=$libc
	preload_of[lanemalloc]=$preload
	title_of[glibc]="glibc $(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)"
	title_of[lanemalloc]=lanemalloc
	servers=(glibc lanemalloc)
	if grep -q libjemalloc <<<"$libraries"; then
		servers=(shipped glibc lanemalloc)
		preload_of[shipped]=
		title_of[shipped]=$($redis --version |
			sed -n 's/.*malloc=\(jemalloc\)-\([0-9.]*\).*/\1 \2/p')
	fi
}

# libc.so.6, preloaded, stands before libjemalloc and so serves malloc itself.
# Whether it does is seen from jemalloc's own count, which then stays near zero.
# lanemalloc answers to the name of that count as well, with what it serves
# itself: there the version that answers tells, and the map of the process.
verify_malloc() {
	local used own

	used=$(field memory used_memory)
	own=$(field memory allocator_allocated)
	case $which in
	shipped)
		[ "$own" -gt $((used / 2)) ] ||
			fail "jemalloc does not serve the shipped server" ;;
	glibc)
		[ "${servers[0]}" != shipped ] ||
			[ "$own" -lt $((used / 20)) ] ||
			fail "jemalloc serves the server with $which" ;;
	lanemalloc)
		[ "${servers[0]}" != shipped ] ||
			cli memory malloc-stats |
				grep '^statistics; mode' >/dev/null ||
			fail "jemalloc serves the server with $which" ;;
	esac
	if [ "$which" = lanemalloc ]; then
		is_under "$server"
	elif [ -n "$preload" ] && grep -q -F "$preload" "/proc/$server/maps"
	then
		fail "the server with $which has lanemalloc"
	fi
}

### The load

start_server() {
	local env=()

	[ -z "${preload_of[$which]}" ] ||
		env+=("LD_PRELOAD=${preload_of[$which]}")
	[ "$which" != lanemalloc ] || env+=(LANEMALLOC_CONF=stats=1)
	rm -f "$work/log/$which" "$work/log/$which.redis"
	free_port
	launch "$which" env "${env[@]}" "$redis" --bind 127.0.0.1 \
		--port "$port" --save "" --appendonly no --dir "$work/data" \
		--logfile "$work/log/$which.redis" --maxclients 1000
	server=$launched
	wait_until 20 cli ping || died "at start"
}

# bench REQUESTS ARGUMENT...: starts a load; its numbers go to csv.*.
bench() {
	echo "requests $1" >>"$work/log/csv.$which"
	launch "csv.$which" redis-benchmark -p "$port" -c 200 -P 16 \
		-r "$keys" --csv -n "$@"
}

bench_ends() {
	wait "$launched" || died "under load"
	unset 'children[-1]'
	kill -0 "$server" 2>/dev/null || died "under load"
}

known_value() {
	awk -v n="$known" -v command="$1" 'BEGIN {
		for (i = 1; i <= n; i++) {
			text = ""
			for (k = 0; k < i * 7; k++)
				text = text (i * 31 + k) % 10
			print (command ? command " known:" i " " : "") text
		}
	}'
}

write_known() {
	[ "$(known_value set | cli | grep -c '^OK$')" -eq "$known" ] ||
		died "setting values"
}

read_known() {
	seq -f 'get known:%.0f' 1 "$known" | cli >"$work/seen" ||
		died "reading values"
	known_value "" | cmp -s - "$work/seen" ||
		fail "values under $which were read back wrong"
}

snapshot_ended() {
	[ "$(field persistence rdb_bgsave_in_progress)" = 0 ] &&
		[ "$(field stats total_forks)" -ge 1 ]
}

# The snapshot's own count of keys is the server's.
check_snapshot() {
	local size saved

	wait_until 60 snapshot_ended || died "in a snapshot"
	[ "$(field persistence rdb_last_bgsave_status)" = ok ] ||
		fail "BGSAVE failed under $which"
	cli save >/dev/null || died "saving"
	size=$(cli dbsize)
	saved=$(redis-check-rdb "$work/data/dump.rdb" |
		sed -n 's/.* \([0-9]*\) keys read.*/\1/p')
	[ "${saved:--1}" = "$size" ] ||
		fail "$size keys under $which, ${saved:-none} in the dump"
	# 8 times as many writes as keys leave almost no key out.
	if [ "$size" -lt $((keys * 95 / 100)) ] ||
		[ "$size" -gt $((keys + known + 4)) ]; then
		fail "$size keys under $which instead of about $keys"
	fi
}

load_server() {
	local size

	write_known
	for size in "${sizes[@]}"; do
		bench "$keys" -t set -d "$size"
		[ "$size" != 4000 ] || cli bgsave >/dev/null || died "forking"
		bench_ends
	done
	bench 30000 -t lpush,hset,sadd,zadd -d 200
	bench_ends
	bench 100000 -t get
	bench_ends
	alive
	verify_malloc
	read_known
	check_snapshot
}

empty_server() {
	bench $((keys * 2)) del key:__rand_int__
	bench_ends
	sleep 3
	note deleted "$(memory_of VmRSS)"
	read_known
	cli flushall async >/dev/null || died "flushing"
	sleep 4
	[ "$(cli dbsize)" = 0 ] || fail "keys are left after FLUSHALL"
}

measure() {
	start_server
	load_server
	empty_server
	note final "$(memory_of VmRSS)"
	note peak "$(memory_of VmHWM)"
	note cpu "$(cpu_seconds)"
	cli shutdown nosave
	ends 20 || fail "the server with $which exits with $?"
	sum_up <"$work/log/csv.$which" >>"$work/results" ||
		fail "redis-benchmark has no results"
	rm -f "$work/log/csv.$which" "$work/data/dump.rdb"
}

# All requests by all the time that they took; the mean of the loads' p99.
# Columns of the csv: test, rps, mean, min, p50, p95, p99, max latency.
sum_up() {
	awk -F '","' -v which="$which" '
		function number(s) { gsub(/"/, "", s); return s + 0 }
		/^requests / { n = substr($0, 10); next }
		/^"test"/ || number($2) == 0 { next }
		{ loads++; nr += n; time += n / number($2); p99 += number($7)
		  if (number($8) > most) most = number($8) }
		END { if (!loads) exit 1
		      print which, "rate", nr / time
		      print which, "p99", p99 / loads
		      print which, "max", most }'
}

### The report

median() {
	awk -v which="$1" -v what="$2" '$1 == which && $2 == what { print $3 }' \
		"$work/results" | sort -g |
		awk '{ v[NR] = $1 }
		END { a = int((NR + 1) / 2); b = int((NR + 2) / 2)
		      print (v[a] + v[b]) / 2 }'
}

# row TITLE NAME FORMAT DIVISOR
row() {
	local which

	printf '  %-30s' "$1"
	for which in "${servers[@]}"; do
		awk -v x="$(median "$which" "$2")" -v d="$4" -v f="$3" \
			'BEGIN { printf "%16s", sprintf(f, x / d) }'
	done
	echo
}

report() {
	local which

	printf '\n  %-30s' "redis-server $version"
	for which in "${servers[@]}"; do
		printf '%16s' "${title_of[$which]}"
	done
	echo
	printf '  %-30s' "medians of $rounds rounds"
	for which in "${servers[@]}"; do
		case $which in
		shipped) printf '%16s' "(as shipped)" ;;
		*) printf '%16s' "(preloaded)" ;;
		esac
	done
	echo
	row "requests a second" rate %.0f 1
	row "p99 latency, ms (mean of loads)" p99 %.2f 1
	row "longest latency, ms" max %.1f 1
	row "CPU seconds of the server" cpu %.2f 1
	row "peak RSS, MiB" peak %.1f 1048576
	row "RSS after random deletes, MiB" deleted %.1f 1048576
	row "RSS after FLUSHALL, MiB" final %.1f 1048576
	echo
}

declare -A preload_of title_of
begin
[ -n "$preload" ] || fail "LANEMALLOC is empty: nothing to show"
find_mallocs
version=$($redis --version | sed -n 's/.* v=\([0-9.]*\).*/\1/p')
turn=0
for round in $(seq "$rounds"); do
	for which in "${servers[@]}"; do
		turn=$((turn + 1))
		echo "demo: $turn of $((rounds * ${#servers[@]}))," \
			"round $round: redis-server with ${title_of[$which]}"
		measure
	done
done
[ -s "$work/log/lanemalloc" ] ||
	fail "lanemalloc printed no statistics at the server's exit"
printf '\nThe statistics of lanemalloc in the last round:\n\n'
cat "$work/log/lanemalloc"
report
echo "Every snapshot succeeded, every value that was read back was right."
