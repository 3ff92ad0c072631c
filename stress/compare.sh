#!/usr/bin/env bash
# Runs a program under each allocator in turn, several rounds, and prints the
# medians and their ratios to the first allocator (glibc).
#
# Usage: stress/compare.sh [-r ROUNDS] [-p TEXT] PROGRAM [ARGUMENT...]
#
#	-r	rounds (5); the allocators alternate within each round, so that
#		a busy minute of the machine hits all of them
#	-p	also the number that follows TEXT in the program's output, for
#		programs that measure themselves: -p 'RSS ' or -p '64 B '
#
# Which allocators: see stress/allocators.sh. A run that fails is counted and
# left out of the medians; the exit status is then 1.
set -u -o pipefail
rounds=5 text=
usage() {
	sed -n 's/^# \(Usage.*\)/\1/p' "$0" >&2
	exit 2
}
while getopts r:p: option; do
	case $option in
	r) rounds=$OPTARG ;;
	p) text=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[[ $# -gt 0 && $rounds =~ ^[1-9][0-9]*$ ]] || usage
if ! command -v "$1" >/dev/null; then
	echo "compare.sh: no program $1 (make figures builds the figures')" >&2
	exit 2
fi
here=$(realpath "$(dirname "$0")")
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
${CC:-gcc} -O2 -pthread "$here/measure.c" -o "$tmp/measure" || exit 2
"$here/allocators.sh" >"$tmp/allocators" || exit 2
failed=0

# The number behind the text, "-" where there is none.
own_number() {
	[ -n "$text" ] || { echo -; return; }
	text=$text awk '{
		at = index($0, ENVIRON["text"])
		if (!at)
			next
		rest = substr($0, at + length(ENVIRON["text"]))
		if (match(rest, /^[^0-9]*[0-9]+(\.[0-9]+)?/)) {
			number = substr(rest, 1, RLENGTH)
			gsub(/[^0-9.]/, "", number)
			print number
			found = 1
			exit
		}
	} END { if (!found) print "-" }' "$tmp/output"
}

for ((round = 0; round < rounds; round++)); do
	while read -r name library; do
		"$tmp/measure" "$tmp/cost" "$library" "$@" \
			>"$tmp/output" 2>&1 </dev/null
		status=$?
		if [ $status -ne 0 ]; then
			failed=1
			echo "$name failed" >>"$tmp/failures"
			echo "compare.sh: $name: status $status:" \
				"$(tail -n 1 "$tmp/output")" >&2
			continue
		fi
		echo "$name $(cat "$tmp/cost") $(own_number)" >>"$tmp/runs"
	done <"$tmp/allocators"
done

# median NAME COLUMN
median() {
	awk -v name="$1" -v column="$2" '$1 == name && $column != "-" {
		print $column }' "$tmp/runs" | sort -g | awk '
		{ v[NR] = $1 }
		END {
			if (!NR)
				print "-"
			else if (NR % 2)
				print v[(NR + 1) / 2]
			else
				print (v[NR / 2] + v[NR / 2 + 1]) / 2
		}'
}

# cell VALUE REFERENCE: the value and its ratio
cell() {
	if [ "$1" = - ] || [ "$2" = - ]; then
		printf ' %16s' "$1"
		return
	fi
	awk -v value="$1" -v reference="$2" 'BEGIN {
		ratio = reference > 0 ? sprintf("%.2f", value / reference) : "-"
		printf " %16s", sprintf("%.3f (%s)", value, ratio) }'
}

touch "$tmp/runs" "$tmp/failures"
first=$(head -n 1 "$tmp/allocators" | cut -d ' ' -f 1)
printf '%-16s %16s %16s %16s' "compare: $rounds" 'wall s' 'cpu s' \
	'peak RSS MiB'
[ -z "$text" ] || printf ' %16s' "${text:0:16}"
printf '\n'
while read -r name library; do
	printf '%-16s' "$name"
	for column in 2 3 4 5; do
		[ $column -lt 5 ] || [ -n "$text" ] || continue
		cell "$(median "$name" $column)" "$(median "$first" $column)"
	done
	n=$(grep -c "^$name failed" "$tmp/failures")
	[ "$n" -eq 0 ] || printf '  %s of %s runs failed' "$n" "$rounds"
	printf '\n'
done <"$tmp/allocators"
exit $failed
