#!/usr/bin/env bash
# What stays resident of real programs that worked and then have nothing to
# do, under each allocator: the median of ROUNDS runs, MiB, and the peak
# beside it. See ../allocators.sh for the allocators.
#
# Usage: stress/idle/idle.sh [PROGRAM...]
set -u -o pipefail
cd "$(dirname "$0")" || exit 2
rounds=${ROUNDS:-3}
[ $# -gt 0 ] || set -- node mariadb java ruby redis
status=0

# median COLUMN: of the lines of figures
median() {
	awk -v k="$1" '{ print $k }' | sort -n |
		awk '{ a[NR] = $1 } END { print NR ? a[int((NR + 1) / 2)] : "-" }'
}

printf 'idle: %-10s %-18s %10s %10s\n' program allocator 'peak MiB' 'idle MiB'
for program in "$@"; do
	if [ ! -x "./$program.sh" ]; then
		echo "idle.sh: no program $program here" >&2
		exit 2
	fi
	while read -r name library <&3; do
		[ "$library" != - ] || library=
		said=$(for ((i = 0; i < rounds; i++)); do
			LANEMALLOC=$library "./$program.sh" 3<&-
		done)
		if [ "$(grep -c '^idle: ' <<<"$said")" -ne "$rounds" ]; then
			grep -v '^idle: ' <<<"$said" >&2
			status=1
		fi
		said=$(grep '^idle: ' <<<"$said")
		printf 'idle: %-10s %-18s %10s %10s\n' "$program" "$name" \
			"$(median 4 <<<"$said")" "$(median 7 <<<"$said")"
	done 3< <(../allocators.sh)
done
exit "$status"
