#!/usr/bin/env python3
"""Runs perturbed loads: a matrix of cells, a soak, or the controls.

A cell is one process, build/perturb/cell-perturbed or cell-plain, with its
options and its LANEMALLOC_CONF; it verifies every block, and at the end
accounts for every byte. A failing cell's command line, seed included, is
printed. Exit status 1 if a cell failed, a site of the list was never hit, or
a fault of the controls was not found.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.abspath(__file__))
FAULTS = os.path.join(HERE, "control", "faults.txt")
sys.path.append(os.path.join(HERE, "../harness"))

import cells  # noqa: E402
import faults  # noqa: E402
import sites  # noqa: E402

HANG_SECONDS = 900


class Failure(Exception):
    """The run cannot go on."""


def environment(cell):
    env = {k: v for k, v in os.environ.items()
           if k not in ("LD_PRELOAD", "LANEMALLOC_CONF", "GLIBC_TUNABLES")}
    if cell.conf:
        env["LANEMALLOC_CONF"] = cell.conf
    env.update(cell.env)
    return env


def command(options, cell, build, seed, steps):
    return [os.path.join(options.build, "cell-" + build),
            "--threads=%d" % cell.threads, "--steps=%d" % steps,
            "--every=%d" % (0 if build == "plain" else cell.every),
            "--seed=%d" % seed] + cell.switches


def shown(cell, words):
    env = ["%s=%s" % kv for kv in cell.env.items()]
    conf = ["LANEMALLOC_CONF=" + cell.conf] if cell.conf else []
    return " ".join(env + conf + words)


def run_cell(options, cell, build, seed, steps, sites_file=None, live=False):
    """The output of a cell that failed, None if it passed."""
    words = command(options, cell, build, seed, steps)
    extra = (["--sites=" + sites_file] if sites_file else []) + \
        (["--progress"] if live else [])
    try:
        done = subprocess.run(words + extra, env=environment(cell),
                              stdout=None if live else subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True,
                              timeout=HANG_SECONDS, check=False)
    except subprocess.TimeoutExpired as expired:
        text = expired.stdout or b""
        return "%s\nended after %d s\nagain: %s" % (
            text if isinstance(text, str) else text.decode("utf-8", "replace"),
            HANG_SECONDS, shown(cell, words))
    if done.returncode == 0:
        return None
    if done.returncode in (2, 3):
        raise Failure("%s%s" % (done.stdout or "", shown(cell, words)))
    return "%sstatus %d\nagain: %s" % (done.stdout or "", done.returncode,
                                       shown(cell, words))


def seeds(first):
    """Different numbers, all from one."""
    rng = random.Random(first)
    while True:
        yield rng.randrange(1, 1 << 32)


def run_matrix(options, matrix, seed, say=print):
    """Runs all cells; returns what those said that failed, and the counts of
    sites."""
    said, counts, seed_of = [], sites.Counts(), seeds(seed)
    path = os.path.join(options.build, "sites.txt")
    for cell in matrix:
        started = time.monotonic()
        cell_seed = next(seed_of)
        failed = run_cell(options, cell, "perturbed", cell_seed, cell.steps,
                          path)
        say("%-5s %s  seed %d, %d steps, %.1f s" % (
            "FAIL" if failed else "ok", cell.name, cell_seed, cell.steps,
            time.monotonic() - started))
        if failed:
            said.append("%s: %s" % (cell.name, failed.rstrip()))
            say("      | " + failed.rstrip().replace("\n", "\n      | "))
        else:
            counts.read(path)
        sys.stdout.flush()
    return said, counts


def matrix_and_report(options, matrix, strict):
    print("seed %d" % options.seed)
    said, counts = run_matrix(options, matrix, options.seed)
    known = sites.read_unreached(os.path.join(HERE, "unreached.txt"))
    bad = len(said) < len(matrix) and counts.report(
        os.path.join(options.build, "shadow"), known, strict)
    # Once more, as who reads the end alone has not seen it.
    for text in said:
        print("FAIL  " + text)
    print("%d cells, %d failed" % (len(matrix), len(said)))
    return 1 if said or bad else 0


def soak(options):
    """Plain and perturbed in turn, for a time."""
    end = time.monotonic() + options.seconds
    rng, nr, rate = random.Random(options.seed), 0, {}
    print("seed %d, %d s" % (options.seed, options.seconds))
    while time.monotonic() < end or nr < 2:
        build = ("plain", "perturbed")[nr % 2]
        cell = rng.choice(cells.full())
        seed = rng.randrange(1, 1 << 32)
        left = max(2.0, min(45.0, end - time.monotonic()))
        mode = build, cell.name.split(",")[0], cell.threads
        steps = int(left * rate.get(mode, 10))
        steps = max(steps, cells.STEPS_LEAST * cell.threads)
        print("%s %s, seed %d, %d steps" % (build, cell.name, seed, steps),
              flush=True)
        started = time.monotonic()
        failed = run_cell(options, cell, build, seed, steps, live=True)
        if failed:
            print("FAIL  " + failed)
            return 1
        rate[mode] = steps / max(0.2, time.monotonic() - started)
        nr += 1
    print("%d cells, 0 failed" % nr)
    return 0


def build_control(options, name, changes):
    """The library with one fault, built; where its cells are."""
    to = os.path.abspath(os.path.join(options.build, "control", name))
    shutil.rmtree(os.path.join(to, "src"), ignore_errors=True)
    shutil.copytree("src", os.path.join(to, "src"))
    faults.put_in(os.path.join(to, "src"), changes)
    make = options.make.split() + [
        "--no-print-directory", "BUILD=" + os.path.dirname(options.build),
        "PERTURB_SRC=%s/src" % to, "PERTURB_DIR=" + to, "perturb-cells"]
    # With the descriptors by which make shares out its jobs.
    if subprocess.run(make, stdout=subprocess.DEVNULL, check=False,
                      close_fds=False).returncode:
        raise Failure("%s does not compile any more" % name)
    return argparse.Namespace(build=to)


def control_found(options, where, name, build):
    """How many of how many cells failed, and what the first one said."""
    nr_failed = nr_cells = 0
    first, seed_of = "", seeds(options.seed)
    for _ in range(options.rounds):
        for cell in cells.control(name):
            failed = run_cell(where, cell, build, next(seed_of), cell.steps)
            nr_cells += 1
            nr_failed += bool(failed)
            if failed and not first:
                first = "%s: %s" % (cell.name, failed.split("\n")[0])
    return nr_failed, nr_cells, first


def control(options):
    """Each fault must be found by the perturbed cells."""
    status = 0
    for name, changes in faults.read(FAULTS).items():
        where, found = build_control(options, name, changes), {}
        for build in ("perturbed", "plain"):
            found[build] = control_found(options, where, name, build)
        missed = found["perturbed"][0] == 0
        print("%-5s %s: perturbed %d of %d cells, plain %d of %d" % (
            ("MISS" if missed else "ok", name) + found["perturbed"][:2] +
            found["plain"][:2]))
        if found["perturbed"][2]:
            print("      " + found["perturbed"][2])
        sys.stdout.flush()
        status |= missed
    return status


def number(text):
    n = int(text)
    if n < 1:
        raise ValueError
    return n


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["quick", "full", "soak", "control"])
    parser.add_argument("--build", default="build/perturb", metavar="DIR",
                        help="where cell-perturbed and cell-plain are")
    parser.add_argument("--seed", type=number, help="of everything random")
    parser.add_argument("--seconds", type=number, default=600,
                        help="how long a soak lasts")
    parser.add_argument("--rounds", type=number, default=2,
                        help="of the cells for each control")
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="cells whose name has this in it")
    parser.add_argument("--make", default="make", help="for the controls")
    options = parser.parse_args()
    options.seed = options.seed or random.SystemRandom().randrange(1, 1 << 32)
    options.build = os.path.normpath(options.build)
    for build in ("perturbed", "plain"):
        if not os.access(os.path.join(options.build, "cell-" + build), os.X_OK):
            raise Failure("no cell-%s in %s" % (build, options.build))
    if options.what == "soak":
        return soak(options)
    if options.what == "control":
        return control(options)
    matrix = cells.quick() if options.what == "quick" else cells.full()
    matrix = [cell for cell in matrix if options.only in cell.name]
    if not matrix:
        raise Failure("no cell with %s in its name" % options.only)
    return matrix_and_report(options, matrix,
                             options.what == "full" and not options.only)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, faults.Unfit, OSError) as error:
        sys.exit("perturb.py: %s" % error)
    except KeyboardInterrupt:
        sys.exit(130)
