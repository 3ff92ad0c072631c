#!/bin/sh
# Runs the programs of a cell inside of its machine, two at a time, the storms
# and loads alone, and says how each one went. Reads /lab/cell: `programs`, of
# words NAME or NAME/ARGUMENT/..., and `seconds`, the most for one of them.
programs='' seconds=60
# shellcheck source=/dev/null
. /lab/cell
export LANEMALLOC_SO=/lib/liblanemalloc.so

cpus() {
	cat /sys/devices/system/cpu/online
}

page_size() {
	awk '/^KernelPageSize/ { print $2 * 1024; exit }' /proc/self/smaps
}

# The preload is for the program alone: busybox and its shell go without.
start() {
	program=$1 conf=$LAB_CONF
	shift
	set -- "/lab/tests/$program" "$@"
	case $program in
	storm_* | lab_*) conf=${conf:+$conf,}stats=1 ;;
	esac
	case $program in
	test_*) preload='' ;;
	*) preload=$LANEMALLOC_SO ;;
	esac
	exec timeout -k 5 "$seconds" ${LAB_PIN:+taskset -c "$LAB_PIN"} \
		env ${preload:+LD_PRELOAD="$preload"} \
		${conf:+LANEMALLOC_CONF="$conf"} "$@"
}

# Lines of one program come together: no other one writes between them.
run_one() {
	name=${1%%/*} began=$(cut -d ' ' -f 1 /proc/uptime)
	out=/said/$name status=0
	# The words behind the slashes are the program's arguments.
	# shellcheck disable=SC2046
	(start $(echo "$1" | tr / ' ')) >"$out" 2>&1 </dev/null || status=$?
	ended=$(cut -d ' ' -f 1 /proc/uptime)
	{
		if [ $status -eq 0 ]; then
			echo "lab: ok $name $began $ended"
			grep -a -E "^lab_load: |; mode |: ok \(|local=" \
				"$out" |
				sed 's/^/lab: line /'
		else
			echo "lab: failed $name $began $ended status $status"
			grep -a -v '^lanemalloc: [a-z_]* .*  ' "$out" |
				tail -n 40 | cut -c 1-300 | sed 's/^/lab| /'
		fi
	} >"$out.said"
	cat "$out.said"
	rm -f "$out" "$out.said"
}

echo "lab: machine $(uname -r) $(cpus) $(page_size) $(id -u)"
n=0
for word in $programs; do
	case $word in
	storm_* | lab_*) wait ;;
	esac
	case $word in
	storm_* | lab_*) run_one "$word" ;;
	*)
		run_one "$word" &
		n=$((n + 1))
		[ $((n % 2)) -eq 1 ] || wait ;;
	esac
done
wait
