# shellcheck shell=bash
# Sourced by the programs here: a real program works, then has nothing to do.
# tests/lib.sh starts it and cleans up; LANEMALLOC is whatever allocator it is
# today, empty for none. A script ends in settle().
# shellcheck source=../../tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tests/lib.sh"

# resident VmHWM|VmRSS: KiB of $server, the most so far or now.
resident() {
	awk -v name="$1:" '$1 == name { print $2 }' "/proc/$server/status"
}

# Nobody asks anything of the program for some seconds; then its figures.
settle() {
	local peak rest

	alive
	peak=$(resident VmHWM)
	sleep "${IDLE_SECONDS:-10}"
	alive
	rest=$(resident VmRSS)
	no_complaints
	awk -v name="$name" -v a="$peak" -v b="$rest" 'BEGIN {
		printf "idle: %s peak %.1f MiB, idle %.1f MiB\n", name,
			a / 1024, b / 1024 }'
	exit 0
}

# The program says "worked" when it has nothing more to do.
await_work() {
	wait_until "$1" grep -q -x worked "$log" ||
		fail "did not work: $(tail -n 1 "$log")"
	is_under "$server"
}
