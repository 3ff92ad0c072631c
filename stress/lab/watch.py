"""Whether a machine hangs, told apart from one that is kept waiting.

Bounds count fair seconds: those that a machine had, or did not want, a CPU. A
thread of the emulator that waits for a CPU proves nothing. Of an interval in
which its threads ran for `ran` seconds and waited for `waited`,

    ran / min(ran + waited, interval * CPUs here)	is what it got of its due
    1 - (ran + waited) / interval			is what it was idle

and the larger of both passes. So a machine whose CPUs all sleep is late by the
clock, one that works is late by its own work, whoever else works here.
"""

import glob
import os
import time


def threads_seconds(pid):
    """Seconds that the threads of a process ran, and waited for a CPU."""
    ran = waited = 0
    for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
        try:
            with open(path, encoding="ascii") as f:
                numbers = f.read().split()
        except OSError:
            continue
        ran += int(numbers[0])
        waited += int(numbers[1])
    return ran / 1e9, waited / 1e9


def fair(ran, waited, interval, cpus):
    """Of an interval, the seconds that count."""
    wanted = ran + waited
    due = min(wanted, interval * cpus)
    share = ran / due if due > 0 else 1
    idle = 1 - wanted / interval
    return interval * min(max(share, idle, 0), 1)


def lines_heard(log):
    """How often its programs said something; its kernel may for ever."""
    with open(log, "rb") as f:
        return f.read().count(b"lab: ")


class Watch:
    """Fair seconds of a process since its start, and since it last spoke."""

    def __init__(self, pid, log):
        self.pid, self.log = pid, log
        self.cpus = len(os.sched_getaffinity(0))
        self.seconds = self.silent = 0.0
        self.heard = 0
        self.at, self.before = time.monotonic(), threads_seconds(pid)

    def look(self):
        now, then = time.monotonic(), self.before
        self.before = threads_seconds(self.pid)
        # Threads that have ended take their seconds with them.
        passed = fair(max(self.before[0] - then[0], 0),
                      max(self.before[1] - then[1], 0),
                      max(now - self.at, 1e-3), self.cpus)
        self.at = now
        self.seconds += passed
        heard = lines_heard(self.log)
        self.silent = self.silent + passed if heard == self.heard else 0
        self.heard = heard
