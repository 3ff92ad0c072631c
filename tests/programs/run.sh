#!/bin/bash
# Runs the programs of this directory under the library, one after the other.
#
# Usage: run.sh [--quick] [NAME...]
#
# MODES: values of LANEMALLOC_CONF, between blanks; each program runs once with
# each, as with "checks=full hardened=1 guard=1,profile_interval=16k". What the
# library says there is a failure, as always.
#
# --quick leaves out those that are not marked quick. A program whose packages
# cannot be had has failed. Last line: "N passed, N failed"; exit status 0
# where nothing failed. LANEMALLOC: see ../lib.sh.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd) || exit 2

header() {
	sed -n "s/^# $2: *//p" "$here/$1.sh"
}

quick=
names=()
for arg in "$@"; do
	case $arg in
	--quick) quick=1 ;;
	-*)
		echo "usage: run.sh [--quick] [NAME...]" >&2
		exit 2 ;;
	*) names+=("${arg%.sh}") ;;
	esac
done
if [ ${#names[@]} -eq 0 ]; then
	for script in "$here"/*.sh; do
		name=$(basename "$script" .sh)
		[ "$name" != run ] || continue
		[ -z "$quick" ] || grep -q '^# quick$' "$script" || continue
		names+=("$name")
	done
fi
export PROGRAMS_QUICK=$quick

# All packages at once; a script says by itself which of its own are missing.
packages=()
for name in "${names[@]}"; do
	read -r -a more <<<"$(header "$name" packages)"
	packages+=("${more[@]}")
done
"$here/../install-packages.sh" "${packages[@]}"

read -r -a modes <<<"${MODES:-}"
[ ${#modes[@]} -gt 0 ] || modes=("")
running=
trap '[ -z "$running" ] || kill -TERM "$running"; wait; exit 130' INT TERM HUP
passed=0
failed=0
for mode in "${modes[@]}"; do
	[ -z "$mode" ] || echo "under $mode:"
	for name in "${names[@]}"; do
		PROGRAMS_CONF=$mode "$here/$name.sh" </dev/null &
		running=$!
		if wait "$running"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
		fi
		running=
	done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
