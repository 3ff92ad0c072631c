#!/usr/bin/env bash
# Real programs under build/unwind-compare.so: the share of our stacks that
# are equal to those of libgcc's and of libunwind's unwinders, or their true
# beginning.
#
# Usage: stress/unwind/compare.sh [PROGRAM...]: names of the list below. Status 1
# where a program has told no stack, but by signals, which short ones may not
# live to see.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2

BUILD=${BUILD:-build}
so=$(realpath "$BUILD/unwind-compare.so") || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

# A C++ program of some depth, with exceptions, in four builds.
cat >"$work/cxx.cc" <<'END'
#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>
static volatile size_t sink;
struct node { std::map<std::string, std::unique_ptr<node>> children; };
static void build(node &at, int depth)
{
	for (int i = 0; i < 6 && depth; i++) {
		auto &child = at.children["key number " + std::to_string(i)];
		child = std::make_unique<node>();
		build(*child, depth - 1);
	}
}
static size_t sum(const node &at, int depth)
{
	std::vector<std::string> names;
	size_t n = 0;
	for (const auto &c : at.children) {
		names.push_back(c.first + std::string(depth, '.'));
		n += sum(*c.second, depth + 1);
	}
	std::sort(names.begin(), names.end());
	if (names.size() == 6 && depth == 3)
		throw std::runtime_error("deep enough");
	return n + names.size();
}
int main()
{
	for (int i = 0; i < 30; i++) {
		node root;
		build(root, 5);
		try {
			sink = sum(root, 0);
		} catch (const std::runtime_error &e) {
			sink = std::string(e.what()).size();
		}
	}
}
END

run() {
	local name=$1

	shift
	printf '%-24s' "$name"
	"$@" >/dev/null 2>"$work/err" </dev/null
	# A program's children report, too: the sums of all.
	awk '/^compare: / {
		who = $2; n[who] += $3; e[who] += $5; b[who] += $7
		l[who] += $10; o[who] += $12
	}
	END {
		for (who in n)
			printf "  %s %d stacks: %d equal, %d a beginning, " \
				"%d longer, %d other, %.2f %%;", who, n[who], \
				e[who], b[who], l[who], o[who], \
				n[who] ? 100 * (e[who] + b[who]) / n[who] : 0
		print ""
		exit !n["libgcc:"]
	}' "$work/err" || [[ $name == *signals ]] || silent+=("$name")
}
silent=()

wanted() {
	[ ${#programs[@]} -eq 0 ] || [[ " ${programs[*]} " == *" $1 "* ]]
}
programs=("$@")

both() {
	local name=$1

	shift
	command -v "$1" >/dev/null || return
	run "$name" env LD_PRELOAD="$so" "$@"
	run "$name signals" env LD_PRELOAD="$so" COMPARE_EVERY=0 \
		COMPARE_SIGNAL=1 "$@"
}

cxx() {
	g++ -std=gnu++17 -O2 "$1" "$work/cxx.cc" -o "$work/cxx" || exit 2
	both "cxx $1" "$work/cxx"
}

if wanted cxx; then
	cxx -fomit-frame-pointer
	cxx -fno-omit-frame-pointer
	cxx -mno-red-zone
	cxx -static-libstdc++
fi
# shellcheck disable=SC2016
wanted python && both python /usr/bin/python3 -c '
import json, re
for i in range(300):
	text = json.dumps({str(k): [k] * 9 for k in range(300)})
	re.findall("[0-9]+", text), json.loads(text)'
# shellcheck disable=SC2016
wanted perl && both perl perl -e '
for $i (1 .. 200000) { $h{"key $i"} = [$i, "x" x ($i % 90)]; }
for (sort keys %h) { $n += @{$h{$_}}; }'
# shellcheck disable=SC2016
wanted awk && both awk awk 'BEGIN {
	for (i = 0; i < 300000; i++) a[i] = i " and " i
	for (i in a) n += length(a[i]) }'
wanted cc1plus && both cc1plus g++ -std=gnu++17 -O2 -c "$work/cxx.cc" \
	-o "$work/cxx.o"
wanted sqlite3 && both sqlite3 sqlite3 :memory: 'create table t(a, b);
	with recursive n(i) as (select 1 union all select i + 1 from n
	where i < 200000) insert into t select i, hex(i) from n;
	create index x on t(b); select count(*) from t where b like "%33%";'
wanted node && both node node -e '
let t = [];
for (let i = 0; i < 300000; i++)
	t.push(JSON.parse(JSON.stringify({ a: "x" + i })));
Buffer.alloc(100000)'
# shellcheck disable=SC2016
wanted php && both php php -r '
for ($i = 0; $i < 3000; $i++) { $a[] = str_repeat("x", 300000 + $i);
	if ($i % 2) unset($a[$i - 1]); preg_match_all("/x+/", "xx $i", $m); }'
wanted ruby && both ruby ruby -e '
a = (1..200000).map { |i| "key #{i} " * 9 }
a.sort.each { |s| s.sub("9", "x" * 50) }'
wanted java && both java java -Xint -version
cat >"$work/x.rs" <<'END'
use std::collections::BTreeMap;
fn fill(depth: u32, m: &mut BTreeMap<String, Vec<u8>>) {
	if depth > 0 {
		return fill(depth - 1, m);
	}
	for i in 0..3000u32 {
		m.insert(format!("key {i}"), vec![1; (i % 500) as usize]);
	}
}
fn main() {
	for d in 0..100 {
		let mut m = BTreeMap::new();
		fill(d % 20, &mut m);
	}
}
END
wanted rust && command -v rustc >/dev/null && rustc -O -o "$work/rust" \
	"$work/x.rs" && both rust "$work/rust"
cat >"$work/cgo.go" <<'END'
package main

/*
#include <stdlib.h>
static void *volatile kept;
static void churn(void)
{
	for (int i = 0; i < 1000; i++) {
		kept = malloc(i * 7 % 5000 + 1);
		free(kept);
	}
}
*/
import "C"

func deep(n int) {
	if n > 0 {
		deep(n - 1)
		return
	}
	C.churn()
}

func main() {
	for i := 0; i < 300; i++ {
		deep(i % 20)
	}
	C.exit(0)
}
END
wanted cgo && command -v go >/dev/null && (cd "$work" &&
	HOME=$work GO111MODULE=off go build -o cgo cgo.go) &&
	both cgo "$work/cgo"
[ ${#silent[@]} -eq 0 ] && exit 0
echo "compare.sh: no stack of: ${silent[*]}" >&2
exit 1
