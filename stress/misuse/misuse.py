#!/usr/bin/env python3
"""What allocators make of misuse, and what it costs to find it: three tables.

Usage: misuse.py kinds|bugs|cost [--into PAGE] [--runs N] [LOAD...]

kinds: each kind of misuse (misuse.c) under lanemalloc with each value of
`checks`, with every block guarded that can be, and hardened; under glibc, and
under Debian's scudo, jemalloc and mimalloc where they are installed. named: a
line on standard error, and the end by a signal; late: the same, after the
program had gone on to other work. crashed: a signal without a line. harmless:
what it read was no secret of anybody's. silent: the program ended as if nothing
had been. hangs: it did not end in ten seconds. Exit status 1 where lanemalloc
names fewer kinds than MISUSE_LEAST ("14 20 20 20 20" unless said).

bugs: bugs of real programs (bugs.c), N (20) runs each: how soon guarded
sampling names one, and whether checks=full and hardened=1 do. Exit status 1
where checks=full does not name one, or guard=1 with every block sampled.

cost: processor time and memory of each LOAD under the library with each mode,
under glibc and scudo, and with the compiler's AddressSanitizer where
`make misuse-cost` could build it so: the loads as built by -fsanitize=address,
Python under its library alone, without a look for leaks. The modes take turns,
so that what disturbs the machine disturbs all. A cell is the median of what N
(7) turns say: processor time, and the greatest resident memory, by those of the
default in the same turn. The default's own cell is its median. A run of the
default takes a tenth of a second or more, so that start and first touches of
memory weigh little. The last row is the geometric mean.

--into writes the table into PAGE, between its marks. BUILD (build) has the
library, unless LANEMALLOC_SO names another one, and the programs.
"""

import argparse
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "bench"))

from driver import Fault, allocators, report, running  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
LIBRARY = allocators.own(BUILD)
MISUSE, BUGS = BUILD + "/misuse/misuse", BUILD + "/misuse/bugs"
PAIR, LOAD = BUILD + "/pair", BUILD + "/bench/load"
MEASURE = BUILD + "/bench/measure"
EVERY = "guard=1,profile_interval=1,guard_slots=4096"
CRASHES = (signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGSEGV)
ASAN = "ASan"
ASAN_TWINS = {LOAD: BUILD + "/misuse/load.asan",
              PAIR: BUILD + "/misuse/pair.asan"}
SCRIPT = """
words = {}
for i in range(400000):
    word = "%x" % (i * 2654435761 % 65536)
    words.setdefault(word, []).append([i, str(i)])
print(sum(len(v) for v in words.values()))
"""
LOADS = {
    "pair": [PAIR, "--rounds", "2", "--pairs", "100000"],
    "larson": [LOAD, "larson", "--scale", "1"],
    "threadtest": [LOAD, "threadtest", "--scale", "1"],
    "mixed-sizes": [LOAD, "mixed-sizes", "--scale", "1"],
    "strings": [LOAD, "strings", "--scale", "1"],
    "python": ["env", "PYTHONMALLOC=malloc", "python3", "-S", "-c", SCRIPT],
}


def ways(named, peers):
    """(name, options, library) of each column: lanemalloc's, named by their
    options but for these names, glibc's and those of peers that there are."""
    known = allocators.everything(LIBRARY, [])
    return [(name, options, LIBRARY) for name, options in named] + \
        [("glibc", "", "")] + \
        [(name, "", known[name].path) for name in peers if known[name].path]


def under(command, options, library, limit):
    """(status, output, errors)"""
    environment = {**os.environ, "LANEMALLOC_CONF": options,
                   "LD_PRELOAD": library, "ASAN_OPTIONS": "detect_leaks=0"}
    return running.execute(command, environment, limit)


def listed(program):
    """[(kind, what it is)]"""
    return [line.split(": ", 1) for line in subprocess.run(
        [program, "--list"], text=True, capture_output=True,
        check=True).stdout.splitlines()]


def table(heads, rows):
    return report.table(heads, rows, "---")


# ---- kinds ----

def verdict(kind, options, library):
    status, output, errors = under([MISUSE, kind], options, library, 10)
    if status is None:
        return "hangs"
    if status == 0:
        return "harmless" if "harmless" in output else "silent"
    if -status not in CRASHES or not errors:
        return "crashed"
    return "late" if "went on" in output else "named"


def pair_ns(options, library):
    _, output, _ = under([PAIR, "--rounds", "3", "--pairs", "10000"], options,
                         library, 10)
    return "".join(re.findall(r" 64 B ([\d.]+)", output))


def kinds(_):
    modes = ("checks=0", "checks=fast", "checks=full", "guard=1", "hardened=1")
    columns = ways([("`%s`" % mode, EVERY if mode == "guard=1" else mode)
                    for mode in modes], ("scudo", "jemalloc", "mimalloc"))
    rows = [["`%s`: %s" % (kind, what)] +
            [verdict(kind, *column[1:]) for column in columns]
            for kind, what in listed(MISUSE)]
    counts = [sum(cell in ("named", "late") for cell in column)
              for column in list(zip(*rows))[1:]]
    least = os.environ.get("MISUSE_LEAST", "14 20 20 20 20").split()
    short = ["%s names %d, not %s" % (mode, count, wanted) for
             mode, count, wanted in zip(modes, counts, least)
             if count < int(wanted)]
    rows.append(["**named or late, of %d**" % len(rows)] + counts)
    rows.append(["malloc and free of 64 bytes, ns"] +
                [pair_ns(*column[1:]) for column in columns])
    return table(["misuse"] + [name for name, _, _ in columns], rows), short


# ---- bugs ----

def named(kind, seed, options):
    _, _, errors = under([BUGS, kind, str(seed)], options, LIBRARY, 60)
    return bool(re.search("^lanemalloc: ", errors, re.M))


def bugs(options):
    runs = options.runs or 20
    rows, missed = [], []

    def often(kind, conf):
        return "%d of %d" % (sum(named(kind, seed, conf)
                                 for seed in range(1, runs + 1)), runs)

    for kind, what in listed(BUGS):
        once = ["named" if named(kind, 1, conf) else "silent"
                for conf in (EVERY, "checks=full")]
        if "silent" in once:
            missed.append("%s is not named" % kind)
        rows.append(["`%s`: %s" % (kind, what)] +
                    [often(kind, conf) for conf in ("", "guard=1",
                                                    "guard=10")] +
                    once + [often(kind, "hardened=1")])
    return table(["bug", "`checks=0`", "`guard=1`", "`guard=10`",
                  "every block guarded", "`checks=full`", "`hardened=1`"],
                 rows), missed


# ---- cost ----

def asan():
    """The column of AddressSanitizer, where the compiler has its library."""
    path = subprocess.run([os.environ.get("CC", "gcc"),
                           "-print-file-name=libasan.so"],
                          stdout=subprocess.PIPE, text=True, check=False)
    path = os.path.realpath(path.stdout.strip())
    there = os.path.isabs(path) and all(
        map(os.path.exists, [path, *ASAN_TWINS.values()]))
    return [(ASAN, "", path)] if there else []


def cost_of(command, name, options, library):
    """(seconds of processor time, MiB) of one run; ASan's twins have it in
    them."""
    if name == ASAN and command[0] in ASAN_TWINS:
        command, library = [ASAN_TWINS[command[0]], *command[1:]], ""
    with tempfile.NamedTemporaryFile() as cost:
        status, _, errors = under([MEASURE, cost.name, library or "-",
                                   *command], options, "", None)
        if status:
            raise Fault("%s under %s %s: status %d: %s" % (
                command, library, options, status, errors))
        return running.measured(cost.name)[1:]


def medians(command, columns, runs):
    """By mode the medians of time and memory by the first one's in its turn;
    of the first one time and memory themselves."""
    turns = [[cost_of(command, *column) for column in columns]
             for _ in range(runs)]
    ratios = [[turn[0]] + [[a / b for a, b in zip(pair, turn[0])]
                           for pair in turn[1:]] for turn in turns]
    return [[statistics.median(numbers) for numbers in zip(*pairs)]
            for pairs in zip(*ratios)]


def cost(options):
    columns = ways([("default", "")] + [("`%s`" % mode, mode) for mode in (
        "checks=fast", "checks=full", "guard=5000", "hardened=1")],
                   ("scudo",)) + asan()
    rows, seen = [], []
    for load in options.loads or LOADS:
        (seconds, mib), *ratios = medians(LOADS[load], columns,
                                          options.runs or 7)
        rows.append([load, "%.2f s, %d MiB" % (seconds, mib)] +
                    ["%.2f, %.2f" % tuple(pair) for pair in ratios])
        seen.append([(1, 1)] + ratios)
    rows.append(["**time, memory**"] + [
        "%.2f, %.2f" % tuple(map(statistics.geometric_mean, zip(*pairs)))
        for pairs in zip(*seen)])
    return table(["load"] + [name for name, _, _ in columns], rows), []


# The tables, and the names of their marks.
TABLES = {"kinds": (kinds, "misuse"), "bugs": (bugs, "bugs"),
          "cost": (cost, "cost")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=TABLES)
    parser.add_argument("--into", metavar="PAGE")
    parser.add_argument("--runs", type=int)
    parser.add_argument("loads", nargs="*", choices=[[], *LOADS], default=[])
    options = parser.parse_intermixed_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    make, marks = TABLES[options.what]
    text, wrong = make(options)
    print(text, end="")
    if options.into:
        report.into_page(options.into, text, marks)
    for line in wrong:
        print("misuse: " + line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Fault as fault:
        sys.exit("misuse: %s" % fault)
