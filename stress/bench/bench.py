#!/usr/bin/env python3
"""Measures lanemalloc and its peers, and judges the aims.

Every allocator is preloaded in turn; see docs/performance.md.
"""

import argparse
import datetime
import hashlib
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True

from driver import Fault  # noqa: E402
from driver import (allocators, cells, figures, machine,  # noqa: E402
                    plots, report, running, session, store)

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAMS = os.path.join(HERE, "programs")
INSTALL = os.path.join(ROOT, "tests", "install-packages.sh")

# The quick form has as few cells as show each aim, and works a quarter.
FORMS = {
    "full": {"rounds": 5, "minutes": 40.0, "scale": 1.0},
    "quick": {"rounds": 2, "minutes": 5.0, "scale": 0.25},
}


def note(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def count_list(text):
    try:
        numbers = sorted({int(word) for word in text.split(",")})
    except ValueError:
        numbers = [0]
    if numbers[0] < 1:
        raise argparse.ArgumentTypeError("%s: 1,2,8 is wanted" % text)
    return numbers


def positive(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError("%s: a number above 0" % text)
    return value


def count(text):
    if not text.isdigit() or not 0 < int(text) <= 1000:
        raise argparse.ArgumentTypeError("%s: a number of 1 to 1000" % text)
    return int(text)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Fault(message + " (--help lists the options)")


def options(description=__doc__, forms=None, threads="1,2,8",
            written="summary"):
    """Those of any program that measures allocators in rounds."""
    full, quick = ((forms or FORMS)[form] for form in ("full", "quick"))
    p = Parser(description=description, allow_abbrev=False)
    p.add_argument("--build", default=os.path.join(ROOT, "build"),
                   metavar="DIR", help="where the library and load are")
    p.add_argument("--quick", action="store_true",
                   help="fewer cells, %d rounds at most, scale %g"
                   % (quick["rounds"], quick["scale"]))
    p.add_argument("--only", action="append", metavar="PATTERN",
                   help="loads and programs whose names match; repeatable")
    p.add_argument("--allocators", metavar="A,B", help="only these")
    p.add_argument("--with", action="append", default=[], dest="added",
                   metavar="NAME=PATH", help="one more; repeatable")
    p.add_argument("--subject", default=allocators.SUBJECT, metavar="NAME",
                   help="the one that is judged (%(default)s)")
    p.add_argument("--threads", type=count_list, metavar=threads)
    p.add_argument("--rounds", type=count, metavar="N",
                   help="at most (%d)" % full["rounds"])
    p.add_argument("--minutes", type=positive, metavar="M",
                   help="begin no further round that would end later (%g)"
                   % full["minutes"])
    p.add_argument("--scale", type=positive, metavar="X",
                   help="times the usual work (%g)" % full["scale"])
    p.add_argument("--limit", type=count, default=120, metavar="S",
                   help="a run of a load that takes longer has failed "
                   "(%(default)s)")
    p.add_argument("--resume", action="store_true",
                   help="go on where an interrupted run ended")
    p.add_argument("--report", action="store_true",
                   help="run nothing, write the report of what there is")
    p.add_argument("--into", metavar="PAGE",
                   help="put the %s there" % written)
    p.add_argument("--list", action="store_true", help="the cells, and end")
    p.add_argument("--no-install", action="store_true",
                   help="do with the packages that there are")
    return p


def bench_options():
    p = options()
    p.add_argument("--verify", action="store_true",
                   help="check every block; the times are then worthless")
    return p


def settle(args, forms=None, folder="bench"):
    """The form fills in what was not asked for."""
    args.form = "quick" if args.quick else "full"
    for name, value in (forms or FORMS)[args.form].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    args.build = os.path.abspath(args.build)
    args.folder = os.path.join(args.build, folder)
    args.load = os.path.join(args.folder, "load")
    args.runs = os.path.join(args.folder, "runs-%s.jsonl" % args.form)
    return args


def needed_packages(chosen):
    found = ["gnuplot-nox"]
    for path, head in cells.programs(PROGRAMS):
        name = os.path.basename(path)[:-len(".sh")]
        if any(cell.load == name for cell in chosen):
            found += head.get("packages", "").split()
    return sorted(set(found)), [package for _, _, package, _ in
                                allocators.PEERS]


def install(chosen):
    """A peer that cannot be had is left out later, by its missing file."""
    wanted, peers = needed_packages(chosen)
    if subprocess.run([INSTALL, *wanted, *peers], check=False).returncode:
        for package in wanted + peers:
            subprocess.run([INSTALL, package], check=False,
                           stderr=subprocess.DEVNULL)


def find_cells(args):
    found = cells.load_cells(args.load, args.form, args.threads, args.limit)
    found += cells.program_cells(PROGRAMS, args.form)
    return cells.select(found, args.only)


def find_allocators(args):
    library = os.path.join(args.build, "liblanemalloc.so")
    known = allocators.everything(library, args.added)
    names = args.allocators.split(",") if args.allocators else None
    if names:
        names += [word.partition("=")[0] for word in args.added
                  if word.partition("=")[0] not in names]
    chosen = allocators.choose(known, names, note)
    if args.subject not in [allocator.name for allocator in chosen]:
        raise Fault("%s, which is to be judged, is not among the allocators"
                    % args.subject)
    for allocator in chosen:
        allocators.probe(allocator, args.load, running.environment())
    return chosen


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def make_header(args, chosen, load, verify=False):
    return {
        "date": datetime.date.today().isoformat(), "form": args.form,
        "scale": args.scale, "verify": verify,
        "subject": args.subject, "loads": digest(args.load),
        "machine": machine.describe(), "load_average": load,
        "complaint": machine.complaint(load),
        "allocators": {a.name: allocators.describe(a) for a in chosen},
    }


def begin(args, header):
    """The file of runs: the old one where it is to go on."""
    runs = store.Store(args.runs)
    if args.resume and runs.exists():
        runs.resume(header)
    else:
        runs.start(header)
    return runs


def measure(args, chosen_cells, chosen):
    """Runs what is wanted; the runs are in the file."""
    header = make_header(args, chosen, machine.settled_load(), args.verify)
    runs = begin(args, header)
    if header["complaint"]:
        note(header["complaint"])
    runner = running.Runner(os.path.join(args.folder, "measure"), args.scale,
                            args.verify)
    work = session.Session(chosen_cells, chosen, runner, runs)
    watch = machine.Watch(time.monotonic)
    done = work.run(args.rounds, args.minutes * 60)
    work.say("%d of %d rounds in %.1f min" % (done, args.rounds,
                                              work.spent() / 60))
    late = machine.complaint(0, watch.share())
    if late:
        note(late)
    if not runs.header["complaint"]:
        runs.header["complaint"] = header["complaint"] or late
        runs.write([{"header": runs.header}] + runs.runs)


def write_report(args):
    runs = store.Store(args.runs).read()
    results = figures.Results(runs.header, runs.runs,
                              runs.header["subject"])
    text = report.summary(results)
    page = os.path.join(args.folder, "summary-%s.md" % args.form)
    report.write(page, text)
    report.write(os.path.join(args.folder, "details-%s.md" % args.form),
                 report.details(results))
    made = plots.draw_all(results, args.folder, note)
    print(text)
    if args.into and runs.header["complaint"]:
        raise Fault("%s, so the figures do not go into %s" %
                    (runs.header["complaint"], args.into))
    if args.into:
        report.into_folder(args.into, runs.header["machine"], text)
    note("runs in %s, summary in %s, every cell in details-%s.md, %d "
         "pictures" % (args.runs, page, args.form, len(made)))
    failed = [row for row in results.failures() if row[1] == results.subject]
    return 1 if failed or not results.nr_runs else 0


def show(chosen_cells):
    for cell in chosen_cells:
        print("%-20s %-8s %4d  %s" % (cell.load, cell.kind, cell.threads,
                                      cell.about))


def main(words):
    args = settle(bench_options().parse_args(words))
    return go(args, find_cells, install, measure, write_report)


def go(args, find, get, run, write):
    """The course of such a program, by its own steps."""
    if args.report:
        return write(args)
    chosen_cells = find(args)
    if args.list:
        show(chosen_cells)
        return 0
    if not args.no_install:
        get(chosen_cells)
    run(args, chosen_cells, find_allocators(args))
    return write(args)


def interrupted(*_):
    raise KeyboardInterrupt


def start(run, say):
    """The program itself: run(words) gives its status, say() notes a line."""
    signal.signal(signal.SIGTERM, interrupted)
    try:
        sys.exit(run(sys.argv[1:]))
    except Fault as fault:
        say(str(fault))
        sys.exit(2)
    except KeyboardInterrupt:
        say("interrupted; --resume goes on, --report shows what there is")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    start(main, note)
