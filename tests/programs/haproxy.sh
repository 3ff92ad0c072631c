#!/bin/bash
# packages: haproxy apache2-utils
# limit: 60
# quick
#
# 8 threads; at start haproxy compares mallinfo around a malloc to see whose
# malloc it has, and it calls malloc_trim with all other threads isolated.
# Load, its own view of its memory, a soft stop under load.
. "$(dirname "$0")/../lib.sh"
begin

free_port
web=$port
free_port
stats=$port
cat >haproxy.cfg <<CFG
global
	maxconn 1000
	nbthread 8
	stats socket ipv4@127.0.0.1:$stats level admin
defaults
	mode http
	timeout connect 60s
	timeout client 60s
	timeout server 60s
frontend web
	bind 127.0.0.1:$web
	default_backend app
backend app
	server self 127.0.0.1:$((web + 1))
frontend origin
	bind 127.0.0.1:$((web + 1))
	http-request return status 200 content-type text/plain lf-string "%[rand,hex] %[path] lane"
CFG

# Asks haproxy's command line.
ask() {
	exec 3<>"/dev/tcp/127.0.0.1/$stats" || return 1
	echo "$1" >&3
	timeout 60 cat <&3
	exec 3>&-
}

load() {
	must "$1" ab -q -c 100 -l "${@:2}" "http://127.0.0.1:$web/file"
	grep -q '^Failed requests: *0$' "log/$1" || fail "$1: failed requests"
	! grep -q '^Non-2xx' "log/$1" || fail "$1: $(grep ^Non-2xx "log/$1")"
}

must_under version haproxy -vv
must_under check haproxy -c -f haproxy.cfg
spawn server haproxy -db -f haproxy.cfg
port=$web
wait_port
is_under "$server"
load first -n 10000 -k
load second -n 5000
threads=$(ask 'show info' | sed -n 's/^Nbthread: *//p')
[ "$threads" = 8 ] || fail "it says ${threads:-no} threads"
ask 'show pools' | grep -q '^Total' || fail "no answer to: show pools"
ask 'show threads' | grep -q 'Thread 8' || fail "no answer to: show threads"
ask 'show activity' >/dev/null
load third -n 5000
alive
kill -USR1 "$server"
ends 20 || fail "the server exits with $?"
ok "20000 requests by 8 threads, none failed, soft stop clean"
