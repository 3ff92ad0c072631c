#!/usr/bin/env bash
# Runs the models and their mutants through Spin, as many at a time as there
# are CPUs.
#
# Usage: stress/model/run.sh [-q] [MODEL...]
#
#	-q	leaves out the long ones; the rest takes less than a minute
#
# A line each: verdict, model and flags, states explored, seconds, and for a
# mutant the assertion that caught it. A model must hold in all its states, a
# mutant (-DM_...) must be caught. The last line is `N passed, N failed`; the
# exit status is 1 if anything failed, 2 if there is no Spin.
#
# Searches are exhaustive (no bit-state hashing) with compressed states
# (COLLAPSE, which loses nothing), at most 120 s of processor time and 2,000 MB
# each, so for each CPU.
set -u -o pipefail
quick=
[ "${1-}" != -q ] || { quick=1; shift; }
only=" $* "
here=$(realpath "$(dirname "$0")")
for tool in spin gcc; do
	command -v $tool >/dev/null || { echo "no $tool (make deps)" >&2; exit 2; }
done
for model in "$@"; do
	[ -e "$here/$model.pml" ] || { echo "no model $model" >&2; exit 2; }
done
results=$(mktemp -d) || exit 2
trap 'rm -rf "$results"' EXIT
trap 'trap - INT TERM; kill 0' INT TERM
jobs=$(nproc)
nr=0
: >"$results/says"

# search FLAG... : explores $model into $tmp/out; false if that was cut short
search() {
	local optimise=O2

	: >"$tmp/out"
	[[ $* != *-DM_* ]] || optimise=O0
	(cd "$tmp" && spin -a "$@" "$here/$model.pml" >spin.out 2>&1 &&
		gcc -$optimise -w -DSAFETY -DCOLLAPSE -DMEMLIM=2000 \
			pan.c -o pan 2>>spin.out) || {
		cat "$tmp/spin.out" >&2
		return 1
	}
	(cd "$tmp" && ulimit -t 120 &&
		nice -n 10 timeout 1800 ./pan -m100000 >out 2>&1)
	[ $? -lt 124 ] || { echo "cut short: $model $*" >&2; return 1; }
	! grep -qE 'depth too small|out of memory|memory limit|Aborted' \
		"$tmp/out"
}

say() {
	local states caught

	states=$(awk '/states, stored/ { print $1; exit }' "$tmp/out")
	caught=$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' "$tmp/out")
	printf '%-6s %-40s %9s states %4ss  %s\n' "$1" "$2" "${states:--}" \
		"$3" "$caught"
}

# try_now MODEL FLAG...: in a directory of its own
try_now() {
	local start=$SECONDS verdict=FAILED whole=1 model=$1 tmp

	shift
	tmp=$(mktemp -d -p "$results") || return
	search "$@" || whole=
	if [[ $* == *-DM_* ]]; then
		! grep -q '^pan:1: assertion violated' "$tmp/out" ||
			verdict=caught
	elif [ -n "$whole" ] && grep -q 'errors: 0' "$tmp/out"; then
		verdict=holds
	fi
	say $verdict "$model $*" $((SECONDS - start)) >"$tmp/says"
	tee -a "$results/says" <"$tmp/says"
	rm -rf "$tmp"
}

# try MODEL FLAG...
try() {
	[ "$only" = "  " ] || [[ $only == *" $1 "* ]] || return
	while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
		wait -n || :
	done
	nr=$((nr + 1))
	try_now "$@" &
}

long() {
	[ -n "$quick" ] || try "$@"
}

mutants() {
	local model=$1 mutant

	shift
	for mutant in "$@"; do
		try "$model" -DM_"$mutant"
	done
}

try slab
long slab -DNT=3 -DOPS=5
long slab -DNS=2 -DOPS=4
mutants slab NO_LOOK LOOK_EARLY GIVE_LOOK_EARLY PLAIN_ON \
	CLOSE_BY_WORD CLOSE_OFF CLASS_KEPT PURGE_LISTED
try slab_tso
mutants slab_tso BITS_BUFFERED ON_BUFFERED
try inbox -DOPS=5
long inbox
long inbox -DKILLS=2
long inbox -DNT=3 -DOPS=4
mutants inbox NO_BOUND PLAIN_PUSH PLAIN_TAKE NEXT_LATE
try level
try level -DKILLS=1 -DOPS=4
long level -DNT=3 -DNH=1 -DOPS=4
mutants level PLAIN_CLAIM OPEN_FIRST PLAIN_RELEASE PARENT_FIRST \
	COALESCE_STORE PURGE_UNCLAIMED MARK_LATE PLAIN_RANGE
try drain -DOPS=2
long drain
long drain -DND=3 -DOPS=1
mutants drain NO_FENCE SUPERSEDE_UNFENCED POP_UNCHECKED SWAP_UNCHECKED \
	DROP_ALWAYS DROP_UNSEEN MARK_UNCHECKED
try gate -DROUNDS=2 -DCOMMITS=1
long gate -DCOMMITS=1
long gate -DNT=3 -DCOMMITS=0
mutants gate PLAIN_OPEN NO_FENCE FENCE_FIRST STORE_FIRST COUNT_IGNORED \
	PLAIN_COMMIT NO_SECOND_END
wait
passed=$(grep -c -E '^(holds|caught) ' "$results/says")
echo "$passed passed, $((nr - passed)) failed"
[ "$passed" -eq $nr ]
