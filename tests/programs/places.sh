#!/bin/bash
# packages: gcc libc6-dev util-linux
# limit: 90
# quick
#
# Where a process finds itself: a chroot that holds neither /proc nor /sys, a
# root that nobody can write to, CPUs that it is moved off and on while it works,
# and tight limits. The program is right in all of them, with the same mode as
# outside. Without the right to make namespaces the first two are left out, and
# the result says so.
. "$(dirname "$0")/../lib.sh"
begin

must compile gcc -O1 -g -fno-builtin -pthread "$tests/programs/work.c" \
	-o work
must_under outside ./work
outside=$(cat log/outside)

# same LOG WHERE: what the program said there is what it said outside.
same() {
	grep -q -x "$outside" "log/$1" || fail "$2: $(tail -n 1 "log/$1")"
	seen+=("$2")
}
seen=()

# The program with the libraries that it needs, and nothing else.
bare_root() {
	local file

	mkdir -p bare/lib
	cp work bare/
	[ -z "$preload" ] || cp "$preload" bare/lib/
	ldd work | grep -o '/[^ ]*' | while read -r file; do
		install -D "$file" "bare$file"
	done
}

bare_root
loader=$(ldd work | grep -o '/[^ ]*ld-linux[^ ]*')
under=${preload:+/lib/$(basename "$preload")}
if unshare -rm true 2>/dev/null; then
	# The loader loads it: chroot(1) is another program.
	# shellcheck disable=SC2016 # expanded by the inner shell
	must chroot unshare -rm sh -c \
		'exec chroot bare "$1" ${0:+--preload "$0"} /work' \
		"$under" "$loader"
	same chroot "a chroot without /proc and /sys"
	# shellcheck disable=SC2016 # expanded by the inner shell
	must readonly unshare -rm sh -c 'mount --rbind / / &&
		mount -o remount,bind,ro / && ! touch "$0/no" 2>/dev/null &&
		LD_PRELOAD=$1 exec ./work' "$work" "$preload"
	same readonly "a root that is read-only"
fi

# Its CPUs change while it works.
launch moved env ${preload:+LD_PRELOAD="$preload"} ./work
while kill -0 "$launched" 2>/dev/null; do
	for cpus in 0 "$(($(nproc) - 1))" "0-$(($(nproc) - 1))"; do
		taskset -a -p -c "$cpus" "$launched" >/dev/null 2>&1
	done
done
wait "$launched" || fail "moved between CPUs: status $?"
unset 'children[-1]'
same moved "CPUs that change"

# shellcheck disable=SC2016 # expanded by the inner shell
must limited sh -c 'ulimit -v 400000 && ulimit -n 8 && ulimit -l 0 &&
	ulimit -s 1024 && LD_PRELOAD=$0 exec ./work' "$preload"
same limited "tight limits"
printf -v places '%s, ' "${seen[@]}"
ok "${places%, }: $outside"
