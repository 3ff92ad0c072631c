"""Where it ran, and whether anybody else did."""

import os
import platform
import re
import sys
import time

QUIET_LOAD = 0.5    # load average of a minute that may be there at the start
QUIET_SHARE = 0.03  # of the CPUs' time that others may take meanwhile
PATIENCE = 180      # seconds in which a load that was may fade


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except OSError:
        return ""


def describe():
    model = re.search(r"model name\s*: (.*)", read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+)", read("/proc/meminfo"))
    system = re.search(r'PRETTY_NAME="(.*)"', read("/etc/os-release"))
    pages = re.search(r"\[(\w+)\]",
                      read("/sys/kernel/mm/transparent_hugepage/enabled"))
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory.group(1)) / 2**20) if memory else 0,
        "kernel": re.match(r"[\d.]*", platform.release()).group(),
        "system": system.group(1) if system else "",
        "hugepages": pages.group(1) if pages else "none",
    }


def in_words(machine):
    return "%d x %s, %d GiB, %s, Linux %s, transparent hugepages: %s" % (
        machine["cpus"], machine["cpu"], machine["memory_gib"],
        machine["system"], machine["kernel"], machine["hugepages"])


def busy_seconds():
    """CPU time that all programs took since the start of the machine, and
    that which the host took away."""
    words = read("/proc/stat").split("\n", 1)[0].split()[1:]
    if len(words) < 8:
        return 0.0
    user, nice, system, _, _, irq, softirq, steal = map(int, words[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf(
        "SC_CLK_TCK")


def own_seconds():
    """CPU time of this process and of those that it has waited for."""
    times = os.times()
    return sum(times[:4])


class Watch:
    """How much of the CPUs others took between start and now."""

    def __init__(self, clock):
        self.clock = clock
        self.start = clock(), busy_seconds() - own_seconds()

    def share(self):
        """A server counts only when its script has waited for it, so the
        share is right after a run and not within one."""
        passed = self.clock() - self.start[0]
        others = busy_seconds() - own_seconds() - self.start[1]
        cpus = os.cpu_count() or 1
        return max(0.0, others / (passed * cpus)) if passed > 0 else 0.0


def settled_load(patience=PATIENCE, nap=20):
    """The load average, as soon as it is low or patience is over: it tells
    of the minute before."""
    end = time.monotonic() + patience
    while os.getloadavg()[0] > QUIET_LOAD and time.monotonic() < end:
        print("bench: load average %.2f, waiting for %.1f" %
              (os.getloadavg()[0], QUIET_LOAD), file=sys.stderr)
        time.sleep(nap)
    return os.getloadavg()[0]


def complaint(load, share=0.0):
    """Why the machine is not quiet, or None."""
    if load > QUIET_LOAD:
        return "the machine is not quiet: load average %.2f at the start" \
            % load
    if share > QUIET_SHARE:
        return "the machine was not quiet: others took %.0f %% of its CPUs" \
            % (share * 100)
    return None
