#!/usr/bin/env python3
"""What each way to find misuse costs, in processor time and memory.

Usage: stress/misuse/cost.py [--into FILE] [--runs N] [LOAD...]

Each load runs under the library with each mode, under glibc, under Debian's
scudo where it is installed, and with the compiler's AddressSanitizer where
`make misuse-cost` could build it so: the loads as built by -fsanitize=address,
Python under its library alone, without a look for leaks. The modes take turns,
so that what disturbs the machine disturbs all. A cell is the median of what N
(7) turns say: processor time, and the greatest resident memory, by those of the
default in the same turn. The default's own cell is its median. A run of the
default takes a tenth of a second or more, so that start and first touches of
memory weigh little. The last row is the geometric mean. --into writes the table into FILE, between the lines
<!-- cost: begin --> and <!-- cost: end -->. LANEMALLOC_SO is the library,
BUILD (build) where it and the loads are.
"""

import argparse
import glob
import math
import os
import platform
import statistics
import subprocess

BUILD = os.environ.get("BUILD", "build")
LIBRARY = os.path.realpath(os.environ.get("LANEMALLOC_SO",
                                          BUILD + "/liblanemalloc.so"))
LOAD = BUILD + "/bench/load"
ASAN = "ASan"
ASAN_TWINS = {LOAD: BUILD + "/misuse/load.asan",
              BUILD + "/pair": BUILD + "/misuse/pair.asan"}
SCRIPT = """
words = {}
for i in range(400000):
    word = "%x" % (i * 2654435761 % 65536)
    words.setdefault(word, []).append([i, str(i)])
print(sum(len(v) for v in words.values()))
"""
LOADS = {
    "pair": [BUILD + "/pair", "--rounds", "2", "--pairs", "100000"],
    "larson": [LOAD, "larson", "--scale", "1"],
    "threadtest": [LOAD, "threadtest", "--scale", "1"],
    "mixed-sizes": [LOAD, "mixed-sizes", "--scale", "1"],
    "strings": [LOAD, "strings", "--scale", "1"],
    "python": ["env", "PYTHONMALLOC=malloc", "python3", "-S", "-c", SCRIPT],
}


def asan_library():
    """Where the compiler has AddressSanitizer's library; "": nowhere."""
    path = subprocess.run([os.environ.get("CC", "gcc"),
                           "-print-file-name=libasan.so"],
                          stdout=subprocess.PIPE, text=True, check=False)
    path = os.path.realpath(path.stdout.strip())
    return path if os.path.isabs(path) and os.path.exists(path) and all(
        os.path.exists(twin) for twin in ASAN_TWINS.values()) else ""


def modes():
    """(name, options, library) of each; the first is what others go by."""
    found = [("default", "", LIBRARY), ("`checks=fast`", "checks=fast", LIBRARY),
             ("`checks=full`", "checks=full", LIBRARY),
             ("`guard=5000`", "guard=5000", LIBRARY),
             ("`hardened=1`", "hardened=1", LIBRARY), ("glibc", "", "")]
    scudo = sorted(glob.glob(
        "/usr/lib/llvm-*/lib/clang/*/lib/*/libclang_rt.scudo_standalone-%s.so"
        % platform.machine()))
    found += [("scudo", "", path) for path in scudo[-1:]]
    return found + [(ASAN, "", path) for path in [asan_library()] if path]


def as_built(command, name, library):
    """The command, and what is preloaded: of ASan's twins nothing."""
    if name == ASAN and command[0] in ASAN_TWINS:
        return [ASAN_TWINS[command[0]], *command[1:]], ""
    return command, library


def run(command, options, library):
    """(seconds of processor time, KiB) of one run."""
    env = dict(os.environ, LANEMALLOC_CONF=options, LD_PRELOAD=library,
               ASAN_OPTIONS="detect_leaks=0")
    pid = os.fork()
    if not pid:
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.execvpe(command[0], command, env)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit("cost: %s under %s %s: status %d"
                         % (command, library, options, status))
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def medians(command, ways, runs):
    """By mode the medians of time and memory by the first one's in its turn;
    of the first one time and memory themselves."""
    seen = {name: [] for name, _, _ in ways}
    for _ in range(runs):
        for name, options, library in ways:
            built, preloaded = as_built(command, name, library)
            seen[name].append(run(built, options, preloaded))
    first = seen[ways[0][0]]
    ratios = {name: [[a / b for a, b in zip(*pair)]
                     for pair in zip(rows, first)]
              for name, rows in seen.items()}
    ratios[ways[0][0]] = first
    return {name: [statistics.median(column) for column in zip(*rows)]
            for name, rows in ratios.items()}


def mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def table(loads, runs):
    ways = modes()
    names = [name for name, _, _ in ways]
    columns = {name: [] for name in names}
    lines = ["| load | " + " | ".join(names) + " |",
             "|---" * (len(names) + 1) + "|"]
    for load in loads:
        seen = medians(LOADS[load], ways, runs)
        first = seen.pop(names[0])
        cells = ["%.2f s, %d MiB" % (first[0], first[1] // 1024)]
        columns[names[0]].append([1, 1])
        for name in names[1:]:
            columns[name].append(seen[name])
            cells.append("%.2f, %.2f" % tuple(seen[name]))
        lines.append("| %s | %s |" % (load, " | ".join(cells)))
    means = ["%.2f, %.2f" % tuple(map(mean, zip(*columns[name])))
             for name in names]
    lines.append("| **time, memory** | %s |" % " | ".join(means))
    return "\n".join(lines) + "\n"


def write_into(path, text):
    begin, end = "<!-- cost: begin -->\n", "<!-- cost: end -->"
    with open(path, encoding="utf-8") as f:
        page = f.read()
    head, rest = page.split(begin)
    with open(path, "w", encoding="utf-8") as f:
        f.write(head + begin + text + end + rest.split(end)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--into")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("loads", nargs="*", choices=[[], *LOADS], default=[])
    args = parser.parse_args()
    text = table(args.loads or list(LOADS), args.runs)
    print(text, end="")
    if args.into:
        write_into(args.into, text)


if __name__ == "__main__":
    main()
