#!/usr/bin/env python3
"""What a malloc and a free cost as more CPUs work and as heaps grow.

Usage: growth.py [--build DIR] [--into docs/performance.md] [--quick]

Runs DIR/growth (growth.c) under valgrind's callgrind and counts, for a pair of
calls, the instructions and the lines that come into a first-level cache of 48
KiB and into a last one of 32 MiB. Counts, not times: other programs do not
disturb them. Writes DIR/growth.dat and, by gnuplot, growth.svg beside the page
of --into, which gets the table between its marks; without --into it prints the
table.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "bench"))

from driver import plots, report  # noqa: E402

IDS = [1 << i for i in range(10)]
MIBS = [1 << i for i in range(13)]    # valgrind has no room for 8 GiB
SERIES = (("crowd", "ids", IDS), ("heap", "mib", MIBS),
          ("large", "mib", MIBS[::2]))
QUICK = {"ids": [1, 4, 16], "mib": [1, 16, 64]}
CACHES = ["--I1=32768,8,64", "--D1=49152,12,64", "--LL=33554432,16,64"]
COUNTED = ("counted_take", "counted_give")


def callgrind(build, load, unit, n):
    """The program's own line, and callgrind's totals by the events' names."""
    with tempfile.NamedTemporaryFile(dir=build, suffix=".callgrind") as out:
        done = subprocess.run(
            ["valgrind", "-q", "--tool=callgrind", "--cache-sim=yes",
             "--callgrind-out-file=" + out.name, "--collect-atstart=no"] +
            CACHES + ["--toggle-collect=" + name for name in COUNTED] +
            [os.path.join(build, "growth"), "--load", load, "--" + unit,
             str(n)],
            env={"PATH": os.environ["PATH"],
                 "LANEMALLOC_CONF": "reclaimer=off",
                 "LD_PRELOAD": os.path.abspath(
                     os.path.join(build, "liblanemalloc.so"))},
            text=True, capture_output=True, check=False)
        text = out.read().decode()
    if done.returncode:
        sys.exit("growth.py: %s %d: status %d: %s" % (
            load, n, done.returncode, done.stderr.strip()))
    events = re.search(r"^events: (.*)", text, re.M).group(1).split()
    totals = re.search(r"^totals: (.*)", text, re.M).group(1).split()
    return done.stdout, dict(zip(events, map(int, totals)))


def point(build, load, unit, n):
    """Instructions and lines of both caches, of a pair."""
    out, total = callgrind(build, load, unit, n)
    pairs = int(re.search(r"pairs (\d+)", out).group(1))
    # Callgrind leaves zeros at the end out.
    lines = [total.get("%sm%s" % (cache, way), 0) for cache in ("D1", "DL")
             for way in "rw"]
    return (n, total["Ir"] / pairs, (lines[0] + lines[1]) / pairs,
            (lines[2] + lines[3]) / pairs)


def measure(build, quick):
    result = {}
    for load, unit, numbers in SERIES:
        result[load] = []
        for n in QUICK[unit] if quick else numbers:
            row = point(build, load, unit, n)
            print("%s %d: %.1f instructions, %.2f lines, %.3f of memory" %
                  ((load,) + row), file=sys.stderr, flush=True)
            result[load].append(row)
    return result


def draw(result, stem, picture):
    with open(stem + ".dat", "w", encoding="utf-8") as f:
        for load, _, _ in SERIES:
            for row in result[load]:
                f.write("%d\t%.2f\t%.3f\t%.4f\n" % row)
            f.write("\n\n")
    plots.draw("growth", stem, {}, sys.exit, picture)


def size_text(mib):
    return "%d GiB" % (mib >> 10) if mib >= 1024 else "%d MiB" % mib


def table(result):
    """Of the longer ones every other row, and the last one."""
    lines = []
    for load, unit, _ in SERIES:
        rows = result[load]
        kept = rows
        if len(rows) > 7:
            kept = rows[::2] + ([] if len(rows) % 2 else rows[-1:])
        for n, instructions, near, far in kept:
            what = size_text(n) if unit == "mib" else "%d" % n
            lines.append([load, what, "%.0f" % instructions, "%.2f" % near,
                          "%.3f" % far])
    return report.table(["load", "", "instructions", "lines",
                         "of them from memory"], lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--into", help="the page that gets table and picture")
    parser.add_argument("--quick", action="store_true",
                        help="three small points of each load")
    options = parser.parse_args()
    result = measure(options.build, options.quick)
    folder = (os.path.dirname(options.into) if options.into
              else options.build)
    draw(result, os.path.join(options.build, "growth"),
         os.path.join(folder, "growth.svg"))
    if options.into:
        report.into_page(options.into, table(result), "growth")
    else:
        print(table(result), end="")


if __name__ == "__main__":
    main()
