#!/usr/bin/env bash
# The sweep's sample of other allocators, and of lanemalloc by the same
# program with the same options, as one table.
#
# Usage: peers.sh SWEEP LANEMALLOC DIRECTORY [OPTION OF THE SWEEP...]
#
# DIRECTORY gets peers.txt, the table, and a report for each allocator. Exit
# status: 0 the table is complete, 1 an allocator or a run is missing.
set -u -o pipefail

if [ $# -lt 3 ]; then
	sed -n '5s/^# //p' "$0" >&2
	exit 2
fi
sweep=$1 lanemalloc=$2 directory=$3
shift 3
table=$directory/peers.txt
status=0

# name, package, library (a pattern), options
peers() {
	local range=__libc_malloc-0x3800,__libc_mallopt

	echo glibc libc6 "/lib/*-linux-gnu/libc.so.6" --range $range
	echo jemalloc libjemalloc2 "/usr/lib/*-linux-gnu/libjemalloc.so.2"
	echo mimalloc libmimalloc2.0 "/usr/lib/*-linux-gnu/libmimalloc.so.2"
	echo gperftools libtcmalloc-minimal4 \
		"/usr/lib/*-linux-gnu/libtcmalloc_minimal.so.4"
	echo scudo libclang-rt-19-dev "/usr/lib/llvm-19/lib/clang/*/lib/linux/\
libclang_rt.scudo_standalone-$(uname -m).so"
}

# name, library, options: one line of the table.
row() {
	local name=$1 library=$2
	shift 2

	"$sweep" --library "$library" --modes abde --failures 5 "$@" \
		--row "$name,$table" --report "$directory/peer-${name%% *}.txt"
	[ $? -le 1 ] || status=1
}

peer() {
	local name=$1 package=$2 pattern=$3 library
	shift 3

	# shellcheck disable=SC2086 # a pattern
	library=$(compgen -G "$pattern" | head -n 1)
	if [ -z "$library" ]; then
		echo "peers: no $name: $pattern" >&2
		status=1
		return
	fi
	row "$name $(dpkg-query -W -f '${Version}' "$package")" "$library" "$@"
}

# shellcheck disable=SC2046 # one word each
"$(dirname "$0")/../../tests/install-packages.sh" binutils \
	$(peers | cut -d' ' -f2) || exit 1
cat >"$table" <<'END' || exit 1
| allocator | a: sleeps | b: ends | d: allocates | e: forks |
|---|---|---|---|---|
END
row lanemalloc "$lanemalloc" --scenario warm "$@"
while read -r -a words; do
	peer "${words[@]}" "$@"
done < <(peers)
cat "$table"
exit $status
