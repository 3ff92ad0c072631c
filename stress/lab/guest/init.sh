#!/bin/sh
# The first process of a lab machine: what the cell asks for is set, then its
# programs run (programs.sh), then the machine goes off. Reads /lab/cell.
# All that lab.py reads are lines "lab: ..."; see there.
PATH=/bin:/sbin
export PATH
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp /run /said
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/shm /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
# What programs say has room also where no memory may be promised.
mount -t ramfs ramfs /said
chmod 1777 /tmp /dev/shm /said
chmod 666 /dev/console
while read -r module; do
	insmod "/lab/modules/$module" || echo "lab: note no module $module"
done </lab/modules/order

# Each of these ends the run where the machine cannot do it: a cell whose
# setting failed has measured something else.
impossible() {
	echo "lab: impossible $1"
	poweroff -f
}

set_thp() {
	echo "$1" >/sys/kernel/mm/transparent_hugepage/enabled ||
		impossible "thp=$1"
}

set_overcommit() {
	echo "$1" >/proc/sys/vm/overcommit_memory || impossible "overcommit=$1"
}

set_swap() {
	{
		echo "$1M" >/sys/block/zram0/disksize &&
			mkswap /dev/zram0 >/dev/null && swapon /dev/zram0
	} || impossible "swap=$1"
}

# This shell, and all that it starts, in a group with that controller.
enter_group() {
	mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
		echo "+$1" >/sys/fs/cgroup/cgroup.subtree_control &&
		mkdir -p /sys/fs/cgroup/lab &&
		echo $$ >/sys/fs/cgroup/lab/cgroup.procs
}

set_cgroup() {
	{
		enter_group memory &&
			echo "$1M" >/sys/fs/cgroup/lab/memory.max
	} || impossible "cgroup=$1"
}

# KiB
set_memlock() {
	# shellcheck disable=SC3045 # busybox has it
	ulimit -l "$1" || impossible "memlock=$1"
}

# One CPU after the other goes off and comes back, but for the first.
switch_cpus() {
	switched=0
	while [ ! -e /said/ended ]; do
		for file in /sys/devices/system/cpu/cpu[1-9]*/online; do
			echo 0 >"$file" && switched=$((switched + 1))
			usleep 200000
			echo 1 >"$file"
			[ ! -e /said/ended ] || break
		done
	done 2>/dev/null
	echo "lab: switched $switched"
}

# The CPUs that the programs may use are others from moment to moment.
move_cpus() {
	moved=0 last=$(($(nproc) - 1))
	while [ ! -e /said/ended ]; do
		for cpus in 0 "$last" "1-$last" "0-$((last - 1))" "0-$last"; do
			echo "$cpus" >/sys/fs/cgroup/lab/cpuset.cpus &&
				moved=$((moved + 1))
			usleep 200000
		done
	done 2>/dev/null
	echo "lab: moved $moved"
}

# The kernel tells of each section that it moves to its abort handler.
traces=/sys/kernel/tracing/events/rseq/rseq_ip_fixup
trace_aborts() {
	mount -t tracefs tracefs /sys/kernel/tracing &&
		echo 1 >$traces/enable
}

# Of all programs; and of them the loads and storms.
say_aborts() {
	[ -e $traces ] || return 0
	# shellcheck disable=SC2046 # two numbers
	echo "lab: aborted" $(sed -n 's|.*entries-written: [0-9]*/\([0-9]*\).*|\1|p;
		/rseq_ip_fixup/q' /sys/kernel/tracing/trace) \
		$(grep -c -E '^ *(storm|lab)_.* rseq_ip_fixup: ' \
			/sys/kernel/tracing/trace)
}

user=root settings=none
# shellcheck source=/dev/null
. /lab/cell
for setting in $settings; do
	value=${setting#*=}
	case $setting in
	none | suite=* | mte=*) ;;
	user) user=lab ;;
	hotplug) switch_cpus & switcher=$! ;;
	thp=* | overcommit=* | swap=* | cgroup=* | memlock=*)
		"set_${setting%%=*}" "$value" ;;
	fill=*) export LAB_FILL_MIB="$value" ;;
	cpuset)
		enter_group cpuset || impossible cpuset
		move_cpus & switcher=$! ;;
	pin=*) export LAB_PIN="$value" ;;
	direct) export GLIBC_TUNABLES=glibc.pthread.rseq=0 ;;
	conf=*) export LAB_CONF="$value" ;;
	*) impossible "$setting" ;;
	esac
done
trace_aborts 2>/dev/null || echo "lab: note no trace of aborts"
if [ "$user" = root ]; then
	/lab/programs.sh
else
	su -s /bin/sh -c /lab/programs.sh "$user"
fi
: >/said/ended
[ -z "$switcher" ] || wait "$switcher"
say_aborts
echo "lab: end"
poweroff -f
