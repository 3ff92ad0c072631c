#!/bin/bash
# packages: gcc libc6-dev python3-seccomp golang-github-containers-common systemd
# limit: 60
# quick
#
# Behind the system call filters that services get from outside: containers'
# default profile (docker's and podman's), systemd's @system-service, which
# kills, and a kernel that knows neither rseq nor membarrier, as gVisor's. Each
# serves the program right, with lanes or, where rseq is refused, without.
. "$(dirname "$0")/../lib.sh"
begin

# filter.py KIND: allows what the profile names, in all of its groups that ask
# for no capability, and becomes the program.
cat >filter.py <<'PY'
import errno, json, os, subprocess, sys
import seccomp as s

PROFILE = "/usr/share/containers/seccomp.json"


def of_containers():
    for group in json.load(open(PROFILE))["syscalls"]:
        if group["action"] == "SCMP_ACT_ALLOW" and not group.get("args") \
                and not group.get("includes", {}).get("caps"):
            yield from group["names"]


def of_systemd():
    """Every group that the service's one names, too."""
    sets, now = {}, None
    text = subprocess.run(["systemd-analyze", "syscall-filter"], check=True,
                          capture_output=True, text=True).stdout
    for line in text.split("\n"):
        if line.startswith("@"):
            now = sets.setdefault(line.strip(), [])
        elif now is not None and line.strip() and line.strip()[0] != "#":
            now.append(line.strip())

    def names(group):
        for word in sets[group]:
            yield from names(word) if word.startswith("@") else [word]

    return list(names("@system-service")) + ["execve"]


kind, program = sys.argv[1], sys.argv[2:]
if kind == "containers":
    f, allowed = s.SyscallFilter(s.ERRNO(errno.EPERM)), of_containers()
elif kind == "systemd":
    f, allowed = s.SyscallFilter(s.KILL_PROCESS), of_systemd()
else:
    f, allowed = s.SyscallFilter(s.ALLOW), []
    for name in ("rseq", "membarrier", "futex_waitv", "mbind"):
        f.add_rule(s.ERRNO(errno.ENOSYS), name)
# Profiles name calls that libseccomp of Debian 12 does not know.
for name in set(allowed):
    try:
        f.add_rule(s.ALLOW, name)
    except RuntimeError:
        pass
os.environ.update(LD_PRELOAD=os.environ.get("UNDER", ""))
f.load()
os.execv(program[0], program)
PY

must compile gcc -O1 -g -fno-builtin -pthread "$tests/programs/work.c" \
	-o work
[ -f /usr/share/containers/seccomp.json ] ||
	fail "the containers' profile is not where it was"

# behind KIND MODE: the program is right, and in that mode (a pattern).
behind() {
	UNDER=$preload must "$1" /usr/bin/python3 filter.py "$1" "$work/work"
	grep -q -x "right \($2\)" "log/$1" ||
		fail "behind $1: $(tail -n 1 "log/$1")"
}

lanes='cpu_id\|mm_cid' direct=direct
[ -n "$preload" ] || lanes=none direct=none
behind containers "$lanes\|$direct"
behind systemd "$lanes\|$direct"
behind nothing "$direct"
UNDER=$preload LANEMALLOC_CONF=numa=interleave must interleaved \
	/usr/bin/python3 filter.py containers "$work/work"
seen=$(cat log/containers log/systemd log/nothing | tr '\n' ' ')
ok "containers', systemd's, no rseq: $seen"
