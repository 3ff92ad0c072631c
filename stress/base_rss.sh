#!/usr/bin/env bash
# RSS of two programs that do nothing, one of C and Python's interpreter,
# under each allocator: the median of 5 runs, in MiB.
#
# Usage: stress/base_rss.sh
set -u -o pipefail
here=$(realpath "$(dirname "$0")")
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
${CC:-gcc} -O2 -pthread "$here/base_rss.c" -o "$tmp/base_rss" || exit 2
python_rss='
import os
pages = int(open("/proc/self/statm").read().split()[1])
print("python: %.2f MiB" % (pages * os.sysconf("SC_PAGESIZE") / 2**20))'

# median COMMAND...: the last number but the unit, of 5 runs
median() {
	for _ in 1 2 3 4 5; do
		"$@" || echo "- failed -"
	done | awk '{ print $(NF - 1) }' | sort -n | sed -n 3p
}

"$here/allocators.sh" | while read -r name library; do
	[ "$library" != - ] || library=
	printf 'base_rss: %-16s C %s MiB, python3 %s MiB\n' "$name" \
		"$(median env LD_PRELOAD="$library" "$tmp/base_rss")" \
		"$(median env LD_PRELOAD="$library" python3 -c "$python_rss")"
done
