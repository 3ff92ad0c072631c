# shellcheck shell=bash
# Sourced by the programs here: one real program each, run once under one
# allocator. tests/lib.sh starts and cleans up; LANEMALLOC is whatever
# allocator it is today, empty for none.
#
# A script ends in one line of figures, as a load does:
#
#	NAME threads T operations N seconds S ns_per_operation X
#		cpu_seconds C rss_kib R
#
# with the processor time and the peak of the measured program alone, not of
# its clients. BENCH_SCALE multiplies the work, BENCH_MEASURE is the program
# of stress/measure.c.
# shellcheck source=../../../tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../../tests/lib.sh"

# shellcheck disable=SC2034 # for the scripts
here=$(dirname "$script")
measure=${BENCH_MEASURE:-$root/build/bench/measure}
begin
[ -x "$measure" ] || fail "no program $measure (make bench builds it)"

# scaled NUMBER: times BENCH_SCALE, at least 1.
scaled() {
	awk -v n="$1" -v x="${BENCH_SCALE:-1}" \
		'BEGIN { n = int(n * x); print n < 1 ? 1 : n }'
}

# figures THREADS OPERATIONS SECONDS CPU_SECONDS RSS_KIB: the line.
figures() {
	no_complaints
	awk -v name="$name" -v t="$1" -v n="$2" -v s="$3" -v c="$4" -v r="$5" \
		'BEGIN {
			if (!(s > 0 && n > 0 && c > 0 && r > 0))
				exit 1
			printf "%s threads %d operations %d seconds %.6f " \
				"ns_per_operation %.3f cpu_seconds %.3f " \
				"rss_kib %d\n", name, t, n, s, s / n * 1e9,
				c, r
		}' || fail "figures that cannot be: $*"
}

# measured OPERATIONS COMMAND...: a program of one thread that ends by itself.
measured() {
	local operations=$1 wall cpu rss

	shift
	must measured "$measure" "$work/cost" "${preload:--}" "$@"
	! grep -q 'cannot be preloaded' "$log" ||
		fail "$preload is not loaded"
	read -r wall cpu rss <"$work/cost"
	rss=$(awk -v mib="$rss" 'BEGIN { print int(mib * 1024) }')
	figures 1 "$operations" "$wall" "$cpu" "$rss"
}

### Servers

# The peak of the server's memory, KiB.
server_peak() {
	awk '$1 == "VmHWM:" { print $2 }' "/proc/$server/status"
}

# User and system time of the server.
server_cpu() {
	sed 's/.*) //' "/proc/$server/stat" |
		awk -v hz="$(getconf CLK_TCK)" '{ print ($12 + $13) / hz }'
}

# between START END: seconds, of two `date +%s.%N`.
between() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.6f", b - a }'
}
