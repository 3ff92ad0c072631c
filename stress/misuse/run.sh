#!/usr/bin/env bash
# Each kind of misuse under each allocator: is it named, does the program
# crash, or does nothing happen?
#
# Usage: stress/misuse/run.sh [--into FILE] PROGRAM [PAIR]
#
#	--into	writes the table into FILE, between the lines
#		<!-- misuse: begin --> and <!-- misuse: end -->
#	PAIR	a program that prints "64 B NANOSECONDS": the last row
#
# Columns: lanemalloc (LANEMALLOC_SO, or the one that is built) with each value
# of `checks`, with every block guarded that can be, and hardened; glibc, and
# Debian's scudo, jemalloc and mimalloc where they are installed. named: a line
# on standard error, and the end by a signal; late: the same, after the program
# had gone on to other work. crashed: a signal without a line. harmless: what it
# read was no secret of anybody's. silent: the program ended as if nothing had
# been. hangs: it did not end in ten seconds. Exit status 1 where lanemalloc
# names fewer kinds than MISUSE_LEAST ("14 20 20 20 20" unless said: default,
# fast, full, guard, hardened).
set -u -o pipefail
into=
[ "${1:-}" != --into ] || { into=$2; shift 2; }
[ $# -ge 1 ] || { sed -n 's/^# \(Usage.*\)/\1/p' "$0" >&2; exit 2; }
program=$1 pair=${2:-}
lane=${LANEMALLOC_SO:-${BUILD:-build}/liblanemalloc.so}
lane=$(realpath "$lane") || exit 2
read -r -a least <<<"${MISUSE_LEAST:-14 20 20 20 20}"
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0
unset LANEMALLOC_CONF

# The path of an installed library; nothing where there is none.
installed() {
	local path

	path=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p |
		awk -v name="lib$1.so" 'index($1, name) == 1 {
			print $NF; exit }')
	[ -n "$path" ] || path=$(printf '%s\n' \
		/usr/lib/llvm-*/lib/clang/*/lib/*/"libclang_rt.$1-$(uname -m).so" \
		| tail -n 1)
	[ ! -r "$path" ] || echo "$path"
}

# NAME OPTION LIBRARY; "-" is none.
columns() {
	local name path

	echo "lanemalloc checks=0 $lane"
	echo "lanemalloc checks=fast $lane"
	echo "lanemalloc checks=full $lane"
	echo "lanemalloc guard=1 $lane"
	echo "lanemalloc hardened=1 $lane"
	echo "glibc - -"
	for name in scudo_standalone jemalloc mimalloc; do
		path=$(installed "$name")
		[ -z "$path" ] || echo "${name%_standalone} - $path"
	done
}

# under OPTION LIBRARY COMMAND...
under() {
	local option=$1 library=$2

	shift 2
	[ "$option" != - ] || option=
	[ "$option" != guard=1 ] ||
		option=guard=1,profile_interval=1,guard_slots=4096
	[ "$library" != - ] || library=
	timeout -k 1 10 env LANEMALLOC_CONF="$option" LD_PRELOAD="$library" "$@"
}

# verdict KIND OPTION LIBRARY
verdict() {
	local status

	{ under "$2" "$3" "$program" "$1" >"$tmp/out" 2>"$tmp/err" \
		</dev/null; } 2>/dev/null
	status=$?
	case $status in
	0)
		if grep -q harmless "$tmp/out"; then
			echo harmless
		else
			echo silent
		fi ;;
	124 | 137) echo hangs ;;
	133 | 134 | 135 | 139)
		if [ ! -s "$tmp/err" ]; then
			echo crashed
		elif grep -q 'went on' "$tmp/out"; then
			echo late
		else
			echo named
		fi ;;
	*) echo crashed ;;
	esac
}

cost() {
	under "$1" "$2" "$pair" --rounds 3 --pairs 10000 2>/dev/null |
		sed -n 's/.* 64 B \([0-9.]*\).*/\1/p'
}

columns >"$tmp/columns"
"$program" --list >"$tmp/kinds" || exit 2
nr=$(wc -l <"$tmp/kinds")
table() {
	local kind what name option library counts=() i row

	printf '| misuse |'
	while read -r name option library; do
		[ "$option" = - ] || name="\`$option\`"
		printf ' %s |' "$name"
	done <"$tmp/columns"
	printf '\n|---|'
	sed 's/.*/---|/' "$tmp/columns" | tr -d '\n'
	printf '\n'
	while IFS=: read -r kind what; do
		row="| \`$kind\`:$what |" i=0
		while read -r name option library <&3; do
			what=$(verdict "$kind" "$option" "$library")
			row+=" $what |"
			case $what in
			named | late) counts[i]=$((${counts[i]:-0} + 1)) ;;
			esac
			i=$((i + 1))
		done 3<"$tmp/columns"
		printf '%s\n' "$row"
	done <"$tmp/kinds"
	printf '| **named or late, of %s** |' "$nr"
	for ((i = 0; i < $(wc -l <"$tmp/columns"); i++)); do
		printf ' %s |' "${counts[i]:-0}"
		echo "${counts[i]:-0}" >>"$tmp/counts"
	done
	printf '\n'
	[ -n "$pair" ] || return
	printf '| malloc and free of 64 bytes, ns |'
	while read -r name option library; do
		printf ' %s |' "$(cost "$option" "$library")"
	done <"$tmp/columns"
	printf '\n'
}

table | tee "$tmp/table"
if [ -n "$into" ]; then
	awk -v table="$tmp/table" '
		/<!-- misuse: end -->/ { inside = 0 }
		!inside
		/<!-- misuse: begin -->/ {
			inside = 1
			while ((getline line < table) > 0)
				print line
		}' "$into" >"$tmp/page" && cat "$tmp/page" >"$into"
fi
mapfile -t counts <"$tmp/counts"
for i in 0 1 2 3 4; do
	if [ "${counts[i]}" -lt "${least[i]}" ]; then
		echo "misuse: column $((i + 1)) names ${counts[i]}," \
			"not ${least[i]}" >&2
		exit 1
	fi
done
