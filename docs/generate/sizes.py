#!/usr/bin/env python3
"""Chooses the size classes by what programs have alive.

Usage: sizes.py [--root DIRECTORY]

Prints the table of src/slab/size_class.h as it is and as it should be, and what
each costs in the heaps that are known: the profiles of stress/memory/ and the
traces of stress/trace/ at their peak. Costs are bytes over live bytes:

    objects   rounding up to the class
    tails     what a slab has behind its last object
    classes   what a class costs for being there: on each id, one or IDS, a quarter
              of a slab and of a batch in a lane, about 24 KiB, as heaps of one
              thread show that have just been filled; less where an object is
              larger than a page, as pages that nobody touched cost nothing

All three add up over the classes, and a class costs nothing but by where it
and the next smaller one end; so the cheapest table is a shortest path from
size to size.
"""

import argparse
import collections
import glob
import lzma
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../..")
sys.path.insert(0, os.path.join(ROOT, "stress/trace"))

import generate  # noqa: E402
import trace_form  # noqa: E402

UNIT = 32768
SMALL_MOST, MEDIUM_MOST = 32768, 262144
HEAP = 256 << 20     # of a profile
LARGEST_SHARE = 32   # sizes above this part of a heap are left out
IDS = 2
PAGE = 4096
BATCH_SIZE, BATCH_MOST = 65536, 128
UNITS_MOST = 8
TAIL_MOST = 64       # a slab loses at most such a part, if it can
OBJECTS_LEAST = 32   # in a slab, or a batch: a refill takes from one slab
STEP_MOST = 1.25     # from class to class, beyond FINE
FINE = 128           # up to here each multiple of 16 is a class
# For aligned blocks.
FIXED = {1 << n for n in range(4, 16)} | set(range(4096, SMALL_MOST, 4096))


def candidates():
    """Sizes that a class may have, all multiples of 16."""
    found = set(range(16, 1025, 16)) | set(range(1024, 4097, 64))
    found |= set(range(4096, SMALL_MOST + 1, 512))
    return sorted(found)


def batch_of(size):
    return max(2, min(BATCH_SIZE // size, BATCH_MOST))


def geometry(size):
    """(units, objects) of a slab."""
    best = None
    for units in range(1, UNITS_MOST + 1):
        objects = units * UNIT // size
        if objects < min(OBJECTS_LEAST, batch_of(size)):
            continue
        tail = 1 - objects * size / (units * UNIT)
        if best is None or tail < best[0] - 1e-9:
            best = (tail, units, objects)
        if tail <= 1 / TAIL_MOST:
            break
    return best[1:]


def presence(size, units, ids):
    """Bytes that a class costs for being there."""
    touched = min(1, PAGE / size)
    return ids * (units * UNIT + batch_of(size) * size) / 4 * touched


def profile(path):
    """{size: number alive} of a heap of HEAP bytes, sizes up to SMALL_MOST,
    and threads."""
    rows = collections.Counter()
    with open(path, encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#"):
                size, _, live = map(float, line.split())
                if size <= HEAP / LARGEST_SHARE:
                    rows[int(size)] += live
    factor = HEAP / sum(size * n for size, n in rows.items())
    return {size: n * factor for size, n in rows.items()}, IDS


def trace(path):
    """The same of a trace at its peak."""
    with lzma.open(path) as f:
        head, events = trace_form.decode(f.read())
    born, live, now, most = [], collections.Counter(), 0, 0
    peak = {}
    for kind, value, second in events:
        if kind in (trace_form.ALLOC, trace_form.ZERO, trace_form.ALIGNED):
            born.append(second if kind == trace_form.ALIGNED else value)
            live[born[-1]] += 1
            now += born[-1]
        elif kind in (trace_form.RESIZE, trace_form.FREE):
            at = len(born) - value
            live[born[at]] -= 1
            now -= born[at]
            if kind == trace_form.RESIZE:
                born[at] = second
                live[second] += 1
                now += second
        # A copy for each new peak would be slow: a 64th more is enough.
        if now > most + most / 64:
            most, peak = now, dict(live)
    return {size: n for size, n in peak.items() if n}, head[0]


def heaps(root):
    """{name: ({size: number}, threads)}."""
    found = {}
    for path in sorted(glob.glob(os.path.join(
            root, "stress/memory/profiles/*.txt"))):
        found["profile " + os.path.basename(path)[:-4]] = profile(path)
    for path in sorted(glob.glob(os.path.join(
            root, "stress/trace/traces/*.trace.xz"))):
        found[os.path.basename(path).split(".")[0]] = trace(path)
    return found


def live_size(heap):
    return sum(size * n for size, n in heap.items())


class Sums:
    """Objects and bytes of a heap up to each multiple of 16."""

    def __init__(self, heap, threads):
        self.live = live_size(heap)
        self.ids = min(threads, IDS)
        steps = SMALL_MOST // 16 + 1
        self.nr, self.size = [0.0] * steps, [0.0] * steps
        for size, n in heap.items():
            if size <= SMALL_MOST:
                self.nr[(size + 15) // 16] += n
                self.size[(size + 15) // 16] += n * size
        for i in range(1, steps):
            self.nr[i] += self.nr[i - 1]
            self.size[i] += self.size[i - 1]

    def cost(self, below, size, units, objects):
        """(objects, tails, classes) of a class for sizes above `below`."""
        i, j = below // 16, size // 16
        nr = self.nr[j] - (self.nr[i] if below else 0)
        held = self.size[j] - (self.size[i] if below else 0)
        if nr <= 0:
            return 0.0, 0.0, 0.0
        tail = (units * UNIT - objects * size) / objects
        # A class of few objects has no more slabs than these fill.
        there = min(presence(size, units, self.ids),
                    nr * size + self.ids * PAGE)
        return ((nr * size - held) / self.live, nr * tail / self.live,
                there / self.live)


def table_cost(sums, table):
    """(objects, tails, classes) of a whole table [(size, units, objects)]."""
    total, below = [0.0, 0.0, 0.0], 0
    for size, units, objects in table:
        if size > SMALL_MOST:
            break
        for i, part in enumerate(sums.cost(below, size, units, objects)):
            total[i] += part
        below = size
    return total


def may_follow(below, size):
    if size <= FINE:
        return size == below + 16
    return size <= below * STEP_MOST and \
        not any(below < fixed < size for fixed in FIXED)


def choose(all_sums):
    """The cheapest table, each heap counted alike."""
    sizes = [0] + candidates()
    shapes = {size: geometry(size) for size in sizes[1:]}
    best = {0: (0.0, None)}
    for at, size in enumerate(sizes[1:], 1):
        for below in sizes[max(0, at - 64):at]:
            if below not in best or not may_follow(below, size):
                continue
            cost = best[below][0] + sum(
                sum(sums.cost(below, size, *shapes[size]))
                for sums in all_sums) / len(all_sums)
            if size not in best or cost < best[size][0]:
                best[size] = (cost, below)
    found, size = [], SMALL_MOST
    while size:
        found.append((size, *shapes[size]))
        size = best[size][1]
    return found[::-1]


def present(root):
    """The table that there is."""
    rows = generate.macro_rows(
        generate.read(root, "src/slab/size_class.h"), "SIZE_CLASSES")
    found = []
    for size, units, _ in rows:
        size, units = int(size), int(units)
        found.append((size, units, units * UNIT // size))
    return found


def slots(size):
    """Most objects of a lane: addresses alone."""
    for most, nr in ((64, 65536), (128, 16384), (256, 4096), (512, 2048),
                     (1024, 1024), (2048, 512), (4096, 288), (8192, 128),
                     (16384, 64), (32768, 32)):
        if size <= most:
            return nr
    return 4


def show(table):
    rows = ["X(%d, %d, %d)" % (size, units, slots(size))
            for size, units, _ in table if size <= SMALL_MOST]
    for i in range(0, len(rows), 4):
        print("\t" + " ".join(rows[i:i + 4]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=ROOT)
    root = parser.parse_args().root
    known = heaps(root)
    sums = {name: Sums(*heap) for name, heap in known.items()}
    now, then = present(root), choose(list(sums.values()))
    show(then)
    print("\n%d classes up to %d bytes, then %d\n" % (
        sum(row[0] <= SMALL_MOST for row in now), SMALL_MOST, len(then)))
    print(generate.table(
        ("heap", "live MiB", "now: objects", "tails", "classes", "sum",
         "then: objects", "tails", "classes", "sum"),
        [[name, "%.1f" % (sums[name].live / 2**20)] +
         ["%.4f" % number for table in (now, then)
          for number in (lambda c: c + [sum(c)])(
              table_cost(sums[name], table))]
         for name in sums]))


if __name__ == "__main__":
    main()
