#!/usr/bin/env python3
"""Compares profiles by samples with an exact count of the same program.

Usage: accuracy.py BUILD

Each load runs with every block sampled, and then ROUNDS times with the usual
interval. For the ten places (the nearest DEPTH calls) that allocate most, by
the exact count, it prints the exact bytes, the mean of the estimates and how
many standard errors they are apart. The program must not ask for other blocks
when its heap looks otherwise, as one does whose blocks grow in place or move.
Then, for each run, how many of the first ten by samples are among the exact
first ten, or within the sampling error of the tenth. Exit status 1 where a mean
is more than 4.5 standard errors off.
"""

import collections
import glob
import gzip
import math
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../../tests"))
from proto import fields, numbers  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "8"))
INTERVAL = int(os.environ.get("INTERVAL", "524288"))
DEPTH = 4
ALLOC_OBJECTS, ALLOC_SPACE = 0, 1

LOADS = [
    ("perl", ["perl", "-e", """
        for $i (1 .. 200000) { $h{"key $i"} = [$i, "x" x ($i % 90)]; }
        for (values %h) { $n += @{$_}; }"""]),
    ("awk", ["awk", """BEGIN {
        for (i = 0; i < 300000; i++) a[i] = i " and " i
        for (i in a) n += length(a[i]) }"""]),
]


def read(path):
    """{((file, place in it), ...): [values of all its stacks, added up]}"""
    with gzip.open(path) as f:
        profile = list(fields(f.read()))
    strings = [value.decode() for field, value in profile if field == 6]
    files, places = {0: ("?", 0)}, {}
    for field, value in profile:
        if field == 3:
            mapping = dict(fields(value))
            files[mapping[1]] = (os.path.basename(strings[mapping[5]]),
                                 mapping[4] - mapping[2])
    for field, value in profile:
        if field == 4:
            location = dict(fields(value))
            file, move = files[location[2]]
            places[location[1]] = (file, location[3] + move)
    nr_values = sum(1 for field, _ in profile if field == 1)
    sums = collections.defaultdict(lambda: [0] * nr_values)
    for field, value in profile:
        if field != 2:
            continue
        sample = dict(fields(value))
        ids = numbers(sample.get(1, b""))
        place = tuple(places[i] for i in ids[:DEPTH])
        for i, n in enumerate(numbers(sample[2])):
            sums[place][i] += n
    return sums


def run(library, command, interval, folder):
    conf = ("profile=1,profile_interval=%d,profile_memory=1g,profile_dir=%s"
            % (interval, folder))
    env = dict(os.environ, LD_PRELOAD=library, LANEMALLOC_CONF=conf)
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    # A shell's children write theirs, too: the command's is the largest.
    paths = glob.glob(folder + "/*.pb.gz")
    profile = read(max(paths, key=os.path.getsize))
    for path in paths:
        os.unlink(path)
    return profile


def variance(sums):
    """Of the estimate of a place's bytes: n blocks of one size s, each with
    the chance p and the weight s / p."""
    n, space = sums[ALLOC_OBJECTS], sums[ALLOC_SPACE]
    if not n:
        return 0
    size = space / n
    p = -math.expm1(-size / INTERVAL)
    return n * size * size * (1 - p) / p


def compare(library, name, command):
    """Whether something is wrong with the profiles of a load."""
    bad = False
    with tempfile.TemporaryDirectory() as folder:
        exact = run(library, command, 1, folder)
        runs = [run(library, command, INTERVAL, folder)
                for _ in range(ROUNDS)]
    order = sorted(exact, key=lambda a: -exact[a][ALLOC_SPACE])
    first, total = order[:10], sum(e[ALLOC_SPACE] for e in exact.values())
    print("%s: %d places, %.1f MiB allocated" % (name, len(exact),
                                                 total / 2**20))
    for place in first:
        mean = sum(r[place][ALLOC_SPACE] for r in runs) / ROUNDS
        error = math.sqrt(variance(exact[place]) / ROUNDS) or 1
        off = (mean - exact[place][ALLOC_SPACE]) / error
        bad |= abs(off) > 4.5
        print("  %-24s exact %12d  mean of %d estimates %12d  %+.1f errors"
              % (("%.14s+%x" % place[0]) if place else "?", exact[place][ALLOC_SPACE], ROUNDS, mean, off))
    tenth = exact[first[-1]][ALLOC_SPACE]
    for r in runs:
        best = sorted(r, key=lambda a: -r[a][ALLOC_SPACE])[:10]
        same = sum(a in first for a in best)
        close = sum(a not in first and tenth - exact[a][ALLOC_SPACE] <
                    3 * math.sqrt(variance(exact[first[-1]]) +
                                  variance(exact[a])) for a in best)
        print("  first ten: %d the same, %d within the error" % (same, close))
        bad |= same + close < len(best)
    return bad


def main(build):
    library = os.path.realpath(os.path.join(build, "liblanemalloc.so"))
    loads = [("load", [os.path.join(build, "profile-load")])] + LOADS
    return any([compare(library, *load) for load in loads])


sys.exit(main(sys.argv[1]))
