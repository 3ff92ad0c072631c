#!/bin/bash
# packages: redis-server redis-tools
# limit: 120
#
# redis after 400,000 values of 10 to 400 bytes, of which nine of ten, chosen
# at random, are deleted again.
# shellcheck disable=SC2317 # functions that wait_until calls
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
begin

cli() {
	redis-cli -p "$port" "$@" 2>/dev/null
}

free_port
spawn server redis-server --bind 127.0.0.1 --port "$port" --save "" \
	--appendonly no --dir "$work/data" --activedefrag no
wait_until 20 cli ping || fail "no answer: $(tail -n 1 "$log")"
is_under "$server"
awk 'BEGIN {
	for (i = 0; i < 400000; i++)
		printf "SET key:%d %0*d\r\n", i, 10 + i * 7919 % 390, i
}' | cli --pipe >/dev/null || fail "it takes no values"
awk 'BEGIN {
	srand(1)
	for (i = 0; i < 400000; i++)
		if (rand() < 0.9)
			printf "DEL key:%d\r\n", i
}' | cli --pipe >/dev/null || fail "it deletes nothing"
settle
