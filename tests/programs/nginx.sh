#!/bin/bash
# packages: nginx-light apache2-utils curl procps
# limit: 60
# quick
#
# Two workers serve files, plain, compressed and through a proxied second
# server, to 200 connections, and are reloaded meanwhile; no request fails and
# the bytes are right.
# shellcheck disable=SC2317 # functions that wait_until calls
. "$(dirname "$0")/../lib.sh"
begin

free_port
mkdir data/www
head -c 3000 /dev/zero | tr '\0' 'x' >data/www/small.txt
seq 1 200000 >data/www/large.txt
chmod -R a+rX data
user=
[ "$(id -u)" -ne 0 ] || user="user nobody $(id -gn nobody);"
cat >nginx.conf <<CONF
$user
daemon off;
worker_processes 2;
pid $work/data/pid;
error_log stderr warn;
events { worker_connections 1000; }
http {
	access_log off;
	keepalive_requests 50;
	gzip on;
	gzip_types *;
	gzip_min_length 100;
	client_body_temp_path $work/data/body;
	proxy_temp_path $work/data/proxy;
	fastcgi_temp_path $work/data/fastcgi;
	uwsgi_temp_path $work/data/uwsgi;
	scgi_temp_path $work/data/scgi;
	server {
		listen 127.0.0.1:$port;
		root $work/data/www;
		location /via/ { proxy_pass http://127.0.0.1:$port/; }
	}
}
CONF
url=http://127.0.0.1:$port

load() {
	must "$1" ab -q -c 200 "${@:2}"
	grep -q '^Failed requests: *0$' "log/$1" || fail "$1: failed requests"
	! grep -q '^Non-2xx' "log/$1" || fail "$1: $(grep ^Non-2xx "log/$1")"
}

workers() {
	ps -o pid= --ppid "$server"
}

two_workers() {
	[ "$(workers | wc -l)" -eq 2 ]
}

spawn server nginx -p "$work/" -c "$work/nginx.conf" -e stderr
wait_port
is_under "$server"
wait_until 10 two_workers || fail "no two workers"
for worker in $(workers); do
	is_under "$worker"
done
load plain -n 20000 -k "$url/small.txt"
kill -HUP "$server"
load packed -n 5000 -H 'Accept-Encoding: gzip' "$url/small.txt"
load proxied -n 5000 "$url/via/small.txt"
kill -HUP "$server"
load large -n 400 "$url/large.txt"
for path in large.txt via/large.txt; do
	for encoding in identity gzip; do
		curl -s -S --compressed -H "Accept-Encoding: $encoding" \
			-o got "$url/$path" 2>>log/curl || fail "no $path"
		cmp -s got data/www/large.txt || fail "$path: wrong bytes"
	done
done
alive
! grep -q 'exited on signal' log/server ||
	fail "$(grep -m 1 'exited on signal' log/server)"
kill -QUIT "$server"
ends 15 || fail "the server exits with $?"
ok "30400 requests over two reloads, none failed, bytes right"
