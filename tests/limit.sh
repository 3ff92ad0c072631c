#!/usr/bin/env bash
# limit.sh SECONDS COMMAND...: as timeout(1), but shortly before it ends what
# takes too long it says where each thread stands: by gdb where that is
# installed, else as far as the kernel tells.
#
# A busy machine makes nothing late: the seconds are the command's part of the
# CPUs' time, or those in which no thread of the machine waited for a CPU
# (/proc/pressure), whichever are more. PATIENCE_MOST times as many by the clock
# are the end in any case.
set -u
shopt -s extglob
PATIENCE_MOST=10
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

# Seconds in which a thread of the machine waited for a CPU, so far.
waited_seconds() {
	local total=0

	{ read -r total </proc/pressure/cpu; } 2>/dev/null
	echo $((${total##*total=} / 1000000))
}

# The group's part of the CPUs' time, with that of its children of before.
worked_seconds() {
	local pid stat fields ticks=0

	for pid in $(group_of "$1"); do
		stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
		read -r -a fields <<<"${stat##*) }"
		ticks=$((ticks + fields[11] + fields[12] + fields[13] +
			fields[14]))
	done
	echo $((ticks / $(getconf CLK_TCK) / $(nproc)))
}

# Of so many seconds those that count.
fair_seconds() {
	local free=$(($2 - $(waited_seconds) + waited_before))
	local worked

	worked=$(worked_seconds "$1")
	echo $((worked > free ? worked : free))
}

# Until the group had its seconds, but for the last five.
wait_fairly() {
	local left=$((seconds - 5))

	while [ $left -gt 0 ]; do
		sleep $left &
		sleeper=$!
		wait $sleeper || return
		left=$((seconds - 5 - $(fair_seconds "$1" $SECONDS)))
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

waited_before=$(waited_seconds)
SECONDS=0
timeout -k 5 $((seconds * PATIENCE_MOST)) "$@" &
run=$!
(
	trap 'kill $sleeper 2>/dev/null; exit' TERM
	wait_fairly $run && where_all_stand $run
	sleep 5 &
	sleeper=$!
	wait $sleeper
	# As if its own clock had rung.
	kill -ALRM $run
) &
watcher=$!
wait $run
status=$?
kill $watcher 2>/dev/null
wait $watcher 2>/dev/null
exit $status
