#!/usr/bin/env bash
# limit.sh SECONDS COMMAND...: as timeout(1), but shortly before it ends what
# takes too long it says where each thread stands: by gdb where that is
# installed, else as far as the kernel tells.
set -u
shopt -s extglob
seconds=$1
shift

# All that are in timeout's process group: the program and its children.
group_of() {
	local file stat

	for file in /proc/[0-9]*/stat; do
		stat=$(cat "$file" 2>/dev/null) || continue
		stat=${stat##*) } # state, parent, group
		[[ $stat == ?\ *([0-9])\ "$1"\ * ]] || continue
		file=${file#/proc/}
		echo "${file%/stat}"
	done
}

where_all_stand() {
	local pid task

	echo "(still at work after $((seconds - 5)) s)"
	for pid in $(group_of "$1"); do
		for task in /proc/"$pid"/task/*; do
			echo "$task $(cat "$task/comm" "$task/wchan" \
				"$task/syscall" 2>/dev/null | tr '\n' ' ')"
		done
		[ "$pid" = "$1" ] || ! command -v gdb >/dev/null ||
			env -u LD_PRELOAD gdb -q -batch -p "$pid" \
				-ex 'thread apply all bt 12' 2>&1 |
			grep -E '^(Thread|#)'
	done
}

timeout -k 5 "$seconds" "$@" &
run=$!
(
	sleep $((seconds - 5)) &
	sleeper=$!
	trap 'kill $sleeper 2>/dev/null; exit' TERM
	wait $sleeper && where_all_stand $run
) &
watcher=$!
wait $run
status=$?
kill $watcher 2>/dev/null
wait $watcher 2>/dev/null
exit $status
