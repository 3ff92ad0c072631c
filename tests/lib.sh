# shellcheck shell=bash
# Sourced by the scripts in tests/programs/: one real program each, started
# under the library and judged by its own results.
#
# A script begins with these comment lines, which are data:
#
#	# packages: PACKAGE...	the Debian packages that it needs
#	# limit: SECONDS	after which it has failed (PATIENCE)
#	# quick			if it belongs to the quick set (below 15 s)
#
# and ends in ok() or fail(), which print `ok NAME: seen` or `not ok NAME:
# why`. Everything lives below $work, which is removed; servers listen on
# 127.0.0.1 alone and are killed at the end, whatever happens.
#
# (stress/demo.sh uses the same functions.)
#
# PROGRAMS_CONF is LANEMALLOC_CONF for all that the script starts.
# LANEMALLOC (or LANEMALLOC_SO) is the library's path; an empty LANEMALLOC
# means no preload, which tests the script itself.
set -u -o pipefail
export LC_ALL=C.UTF-8
# Some servers run as another user.
umask 022

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$tests")
script=$(realpath "$0")
name=$(basename "$0" .sh)
LANEMALLOC=${LANEMALLOC-${LANEMALLOC_SO:-$root/build/liblanemalloc.so}}
[ -z "$LANEMALLOC" ] || LANEMALLOC=$(realpath -m "$LANEMALLOC")
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# All seconds here are a quiet machine's: a busy one may take so many times as
# many by the clock.
PATIENCE=5

header() {
	sed -n "s/^# $1: *//p" "$script"
}

# Options that look at every call make programs slow.
limit() {
	echo $(($(header limit) * PATIENCE * (${PROGRAMS_CONF:+4} + 1)))
}

# The script runs as a child of itself under timeout(1), which gives it a
# process group of its own. TERM is its limit; a signal from outside is passed
# on as HUP.
run_limited() {
	local status

	LANE_PROGRAM_LIMITED=
	export LANEMALLOC PATH
	# shellcheck disable=SC2016 # expanded by the inner shell
	timeout -k 20 "$(limit)" bash -c \
		'LANE_PROGRAM_LIMITED=$$ exec bash "$0" "$@"' "$script" "$@" &
	limited=$!
	trap 'kill -HUP "$limited" 2>/dev/null' INT TERM HUP
	while :; do
		wait "$limited"
		status=$?
		kill -0 "$limited" 2>/dev/null || break
	done
	[ "$status" -ne 137 ] || echo "not ok $name: had to be killed"
	exit "$status"
}

[ "${LANE_PROGRAM_LIMITED-}" = "$$" ] || run_limited "$@"
unset LANE_PROGRAM_LIMITED LD_PRELOAD LANEMALLOC_CONF
[ -z "${PROGRAMS_CONF-}" ] || export LANEMALLOC_CONF=$PROGRAMS_CONF

work=
log=/dev/null
children=()

# Kills what the script started (each child leads its own process group) and
# removes its files.
cleanup() {
	local pid end

	trap '' INT TERM HUP
	for pid in "${children[@]}"; do
		kill -TERM -- "-$pid" 2>/dev/null
	done
	end=$((SECONDS + 2))
	while any_alive && [ "$SECONDS" -lt "$end" ]; do
		sleep 0.1
	done
	for pid in "${children[@]}"; do
		kill -KILL -- "-$pid" 2>/dev/null
	done
	[ -z "$work" ] || rm -rf "$work"
}

any_alive() {
	local pid

	for pid in "${children[@]}"; do
		kill -0 -- "-$pid" 2>/dev/null && return 0
	done
	return 1
}

ok() {
	no_complaints
	echo "ok $name: $*"
	exit 0
}

fail() {
	echo "not ok $name: $*"
	if [ -n "$work" ]; then
		tail -q -n 15 "$work"/log/* 2>/dev/null | sed 's/^/# /'
	fi
	exit 1
}

# The library speaks only when something is wrong, also in a process whose
# death nobody notices.
no_complaints() {
	local line

	line=$(grep -a -h -m 1 '^lanemalloc: ' "$work"/log/* | head -n 1)
	[ -z "$line" ] || fail "the library says: $line"
}

# Installs the packages, makes $work, and takes a copy of the library there,
# so that any user may load it.
begin() {
	local packages

	trap cleanup EXIT
	trap 'fail "not finished after $(limit) s"' TERM
	trap 'echo "not ok $name: interrupted"; exit 1' INT HUP
	packages=$(header packages)
	# shellcheck disable=SC2086 # a list of words
	"$tests/install-packages.sh" $packages ||
		fail "cannot have its packages: $packages"
	work=$(mktemp -d "${TMPDIR:-/tmp}/lane-$name.XXXXXX") ||
		fail "cannot make a temporary directory"
	chmod 755 "$work"
	cd "$work" || fail "cannot enter $work"
	mkdir lib log data
	chmod 777 data
	[ -n "$LANEMALLOC" ] || return 0
	[ -r "$LANEMALLOC" ] || fail "no library $LANEMALLOC (make builds it)"
	install -m 755 "$LANEMALLOC" lib/ || fail "cannot copy $LANEMALLOC"
	preload=$work/lib/$(basename "$LANEMALLOC")
}
preload=

# launch LOG COMMAND...: starts it in a process group of its own, its output
# going to $work/log/LOG and its pid to $launched. (A shell's background
# commands ignore INT and QUIT; these do not.)
launch() {
	log=$work/log/$1
	shift
	setsid env --default-signal=INT,QUIT "$@" >>"$log" 2>&1 </dev/null &
	launched=$!
	children+=("$launched")
}
launched=

# spawn LOG COMMAND...: starts a server under the library; its pid goes to
# $server. The library is loaded into the wrappers of the command too (nice,
# setpriv).
spawn() {
	launch "$1" env ${preload:+LD_PRELOAD="$preload"} "${@:2}"
	server=$launched
}
server=

# must LOG COMMAND...: a command that has to succeed, without the library.
# It is waited for in a way that lets the limit through, whatever it does.
must() {
	local status

	launch "$@"
	wait "$launched"
	status=$?
	unset 'children[-1]'
	[ "$status" -eq 0 ] ||
		fail "status $status from ${*:2}: $(tail -n 1 "$log")"
}

# The same under the library.
must_under() {
	must "$1" env ${preload:+LD_PRELOAD="$preload"} "${@:2}"
}

# as_user USER: sets the prefix of commands that refuse to be run by root; it
# is empty when we are not root.
as_user() {
	local user=$1

	unprivileged=()
	[ "$(id -u)" -eq 0 ] || return 0
	id "$user" >/dev/null 2>&1 || user=nobody
	unprivileged=(setpriv "--reuid=$user" "--regid=$(id -g "$user")"
		--clear-groups)
	chown "$user" data
}
# shellcheck disable=SC2034 # for the scripts
unprivileged=()

# A port that nobody listens on, below the range of outgoing connections.
free_port() {
	local tries

	for tries in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		port=$((20000 + (RANDOM + tries) % 10000))
		listens "$port" || return 0
	done
	fail "found no free port"
}
port=

listens() {
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# wait_until SECONDS COMMAND...: until it succeeds or $server is gone.
wait_until() {
	local end=$((SECONDS + $1 * PATIENCE))

	shift
	while ! "$@" >/dev/null 2>&1; do
		kill -0 "$server" 2>/dev/null || return 1
		[ "$SECONDS" -le "$end" ] || return 1
		sleep 0.1
	done
}

wait_port() {
	wait_until 30 listens "$port" ||
		fail "no server on port $port: $(tail -n 1 "$log")"
}

# The process really has the library, or the test would prove nothing.
is_under() {
	[ -n "$preload" ] || return 0
	grep -q -F "$preload" "/proc/$1/maps" 2>/dev/null ||
		fail "process $1 does not have the library"
}

alive() {
	kill -0 "$server" 2>/dev/null ||
		fail "the server died: $(tail -n 1 "$log")"
}

# ends SECONDS: $server, which was told to stop, exits in time; its status is
# returned.
ends() {
	local end=$((SECONDS + $1 * PATIENCE)) status

	while kill -0 "$server" 2>/dev/null; do
		[ "$SECONDS" -le "$end" ] || fail "the server does not stop"
		sleep 0.1
	done
	wait "$server"
	status=$?
	return "$status"
}
