#!/usr/bin/env bash
# Bugs of real programs: how soon guarded sampling finds each, and whether
# checks=full and hardened=1 do.
#
# Usage: stress/misuse/bugs.sh [--into FILE] PROGRAM
#
#	--into	writes the table into FILE, between <!-- bugs: begin --> and
#		<!-- bugs: end -->
#
# RUNS (20) runs at each rate; "N of RUNS" is in how many the bug was named.
# Exit status 1 where checks=full does not name one, or guard=1 with every block
# sampled.
set -u -o pipefail
into=
[ "${1:-}" != --into ] || { into=$2; shift 2; }
[ $# -eq 1 ] || { sed -n 's/^# \(Usage.*\)/\1/p' "$0" >&2; exit 2; }
every=guard=1,profile_interval=1,guard_slots=4096
program=$1 runs=${RUNS:-20}
lane=$(realpath "${LANEMALLOC_SO:-${BUILD:-build}/liblanemalloc.so}") || exit 2
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0
unset LANEMALLOC_CONF

# named KIND SEED CONF: whether a line on standard error says so.
named() {
	{ timeout 60 env LANEMALLOC_CONF="$3" LD_PRELOAD="$lane" "$program" \
		"$1" "$2" >/dev/null 2>"$tmp/err"; } 2>/dev/null
	grep -q '^lanemalloc: ' "$tmp/err"
}

count() {
	local n=0 i

	for ((i = 1; i <= runs; i++)); do
		! named "$1" "$i" "$2" || n=$((n + 1))
	done
	echo "$n of $runs"
}

status=0
# shellcheck disable=SC2016
table() {
	local kind what once full

	printf '| bug | `checks=0` | `guard=1` | `guard=10` | '
	printf 'every block guarded | `checks=full` | `hardened=1` |\n'
	printf '|---|---|---|---|---|---|---|\n'
	while IFS=: read -r kind what; do
		once=silent full=silent
		! named "$kind" 1 "$every" || once=named
		! named "$kind" 1 checks=full || full=named
		[ "$once$full" = namednamed ] || status=1
		printf '| `%s`:%s | %s | %s | %s | %s | %s | %s |\n' "$kind" \
			"$what" "$(count "$kind" "")" \
			"$(count "$kind" guard=1)" \
			"$(count "$kind" guard=10)" "$once" "$full" \
			"$(count "$kind" hardened=1)"
	done < <("$program" --list)
	return $status
}

table >"$tmp/table"
status=$?
cat "$tmp/table"
if [ -n "$into" ]; then
	awk -v table="$tmp/table" '
		/<!-- bugs: end -->/ { inside = 0 }
		!inside
		/<!-- bugs: begin -->/ {
			inside = 1
			while ((getline line < table) > 0)
				print line
		}' "$into" >"$tmp/page" && cat "$tmp/page" >"$into"
fi
exit $status
