#!/bin/bash
# packages: gcc libc6-dev ltrace linux-perf rr strace gdb
# limit: 120
#
# Beside tools that watch: ltrace's breakpoints, strace's stops, perf's samples,
# gdb's single steps through malloc and free, rr where it knows the processor.
# The program is right under each. (ltrace loses the threads of any program that
# has some: it watches one.)
. "$(dirname "$0")/../lib.sh"
begin

must compile gcc -O1 -g -fno-builtin -pthread "$tests/programs/work.c" \
	-o work
env_of=(env ${preload:+LD_PRELOAD="$preload"})
seen=()

# right LOG TOOL: the program said so.
right() {
	grep -q '^right ' "log/$1" || fail "$2: $(tail -n 1 "log/$1")"
	seen+=("$2")
}

must ltrace ltrace -c -o data/calls "${env_of[@]}" ./work one
right ltrace ltrace
must strace strace -f -o data/trace "${env_of[@]}" ./work
right strace strace
must perf perf record -q -o data/perf "${env_of[@]}" ./work
right perf perf
must report perf report -i data/perf --stdio
[ -z "$preload" ] || grep -q "$(basename "$preload")" log/report ||
	fail "perf saw nothing of the library"

# Into malloc and free, an instruction at a time: sections that never end
# without being interrupted.
cat >steps.gdb <<'GDB'
set breakpoint pending on
set pagination off
set confirm off
break realloc
run
stepi 3000
disable
continue
GDB
must gdb gdb -q -batch -ex "set exec-wrapper ${env_of[*]}" -x steps.gdb \
	--args ./work one
right gdb "gdb's steps"

export _RR_TRACE_DIR=$work/data/rr
if rr record true >log/rr-can 2>&1; then
	must rr rr record "${env_of[@]}" ./work
	right rr rr
	must replay rr replay -a
fi
printf -v tools '%s, ' "${seen[@]}"
ok "${tools%, }"
