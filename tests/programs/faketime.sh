#!/bin/bash
# packages: libfaketime python3
# limit: 30
#
# A library stands before libc's clock, and before this one: threads allocate
# and end, a helper gives memory back, and the clock is the false one.
. "$(dirname "$0")/../lib.sh"
begin

cat >work.py <<'PYTHON'
import threading, time

def work():
    for _ in range(20):
        blocks = [bytearray(i) for i in range(0, 200000, 1000)]
        del blocks

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
time.sleep(0.5)
print(time.gmtime().tm_year)
PYTHON

false_clock=$(find /usr/lib -name libfaketime.so.1 | head -n 1)
[ -n "$false_clock" ] || fail "no libfaketime.so.1"
year=$(FAKETIME='@2001-01-01 00:00:00' LD_PRELOAD=$false_clock:$LANEMALLOC \
	LANEMALLOC_CONF=purge_delay=50 /usr/bin/python3 work.py 2>errors) ||
	fail "exit status $?"
[ ! -s errors ] || fail "$(head -n 1 errors)"
[ "$year" = 2001 ] || fail "the year is $year"
ok "threads and a helper under a false clock of $year"
