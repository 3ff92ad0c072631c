#!/usr/bin/env python3
"""Runs a program under each allocator in turn, several rounds, and prints the
medians and their ratios to the first allocator (glibc).

The allocators: glibc, lanemalloc (LANEMALLOC_SO, or the one in BUILD), and
Debian's others where they are installed. ALLOCATORS, a list of NAME or
NAME=LIBRARY, chooses among them or adds some. They alternate within each
round, so that a busy minute of the machine hits all of them. A run that fails
is counted and left out of the medians; the exit status is then 1.
"""

import argparse
import os
import re
import shutil
import signal
import statistics
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BUILD") or os.path.join(os.path.dirname(HERE), "build")
MEASURE = os.path.join(BUILD, "bench", "measure")
sys.path.insert(0, os.path.join(HERE, "bench"))

from driver import Fault, allocators, running  # noqa: E402

MEASURED = ["wall s", "cpu s", "peak RSS MiB"]


def find_allocators():
    words = os.environ.get("ALLOCATORS", "").split()
    known = allocators.everything(
        allocators.own(BUILD), [word for word in words if "=" in word])
    chosen = allocators.choose(
        known, [word.partition("=")[0] for word in words], lambda _: None)
    if not words:
        chosen.sort(key=lambda allocator: allocator.name != "glibc")
    for allocator in chosen:
        allocators.must_be_there(allocator)
    return chosen


def number_after(text, output):
    found = re.search(re.escape(text) + r"[^0-9\n]*([0-9]+(?:\.[0-9]+)?)",
                      output)
    return float(found.group(1)) if found else None


def run(options, allocator):
    """The numbers of one run; none of one that failed."""
    words = [options.program, *options.arguments]
    path = allocator.path or ""
    with tempfile.TemporaryDirectory() as folder:
        cost = os.path.join(folder, "cost")
        if options.script:
            command, environment = words, {**os.environ, "LANEMALLOC": path}
        else:
            command, environment = [MEASURE, cost, path or "-"] + words, None
        status, output, errors = running.execute(command, environment, None)
        if status or "cannot be preloaded" in errors:
            print("compare.py: %s: %s" % (allocator.name, running.reason(
                status, output, errors)), file=sys.stderr)
            return []
        return ([] if options.script else running.measured(cost)) + [
            number_after(text, output + errors) for text in options.texts]


def cell(numbers, first):
    """The median, and its ratio to the first allocator's."""
    numbers, first = ([n for n in some if n is not None]
                      for some in (numbers, first))
    if not numbers or not first:
        return "-"
    value, reference = statistics.median(numbers), statistics.median(first)
    return "%.3f (%s)" % (value, "%.2f" % (value / reference)
                          if reference else "-")


def table(options, runs):
    """runs: {name: the numbers of its runs}"""
    heads = ([] if options.script else MEASURED) + options.texts
    rows = [["compare: %d" % options.rounds] + [head[:16] for head in heads]]
    first = next(iter(runs.values()))
    for name, made in runs.items():
        good, base = ([row for row in some if row] for some in (made, first))
        rows.append([name] + [cell([row[i] for row in good],
                                   [row[i] for row in base])
                              for i in range(len(heads))])
        if len(good) < len(made):
            rows[-1].append("  %d of %d runs failed" % (
                len(made) - len(good), len(made)))
    return "\n".join("%-16s" % row[0] + "".join(" %16s" % text
                                                 for text in row[1:])
                     for row in rows)


def read_options():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("-r", dest="rounds", type=int, default=5, metavar="ROUNDS")
    p.add_argument("-p", dest="texts", action="append", default=[],
                   metavar="TEXT", help="also the number that follows TEXT in "
                   "the program's output, as in -p 'RSS ' or -p '64 B '")
    p.add_argument("-e", dest="script", action="store_true", help="a script "
                   "that preloads what LANEMALLOC names, and itself measures")
    p.add_argument("program")
    p.add_argument("arguments", nargs=argparse.REMAINDER)
    options = p.parse_args()
    for program in (options.program, MEASURE):
        if not shutil.which(program):
            raise Fault("no program %s (make figures builds the figures')"
                        % program)
    return options


def main():
    options = read_options()
    chosen = find_allocators()
    runs = {allocator.name: [] for allocator in chosen}
    for _ in range(options.rounds):
        for allocator in chosen:
            runs[allocator.name].append(run(options, allocator))
    print(table(options, runs))
    return 0 if all(map(all, runs.values())) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        sys.exit(main())
    except Fault as fault:
        print("compare.py: %s" % fault, file=sys.stderr)
        sys.exit(2)
