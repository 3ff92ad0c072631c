#!/usr/bin/env python3
"""Measures memory over live bytes of lanemalloc and its peers.

Every allocator is preloaded in turn; see docs/memory.md.
"""

import argparse
import datetime
import os
import re
import signal
import subprocess
import sys

sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.abspath(__file__))
STRESS = os.path.dirname(HERE)
ROOT = os.path.dirname(STRESS)
sys.path.insert(0, os.path.join(STRESS, "bench"))

import bench  # noqa: E402
from driver import Fault, allocators, cells, figures  # noqa: E402
from driver import machine, report, store  # noqa: E402

from account import pictures, tables, work  # noqa: E402

FORMS = {
    "full": {"rounds": 3, "minutes": 300.0, "scale": 1.0, "jobs": 1},
    "quick": {"rounds": 1, "minutes": 10.0, "scale": 0.25, "jobs": 3},
}
FULL, QUICK = FORMS["full"], FORMS["quick"]


def note(text):
    print("memory: " + text, file=sys.stderr, flush=True)


def options():
    p = bench.Parser(description=__doc__, allow_abbrev=False)
    p.add_argument("--build", default=os.path.join(ROOT, "build"),
                   metavar="DIR", help="where the library and loads are")
    p.add_argument("--quick", action="store_true",
                   help="fewer loads, %d round, scale %g: heaps of 64 MiB"
                   % (QUICK["rounds"], QUICK["scale"]))
    p.add_argument("--only", action="append", metavar="PATTERN",
                   help="loads and traces whose names match; repeatable")
    p.add_argument("--allocators", metavar="A,B", help="only these")
    p.add_argument("--with", action="append", default=[], dest="added",
                   metavar="NAME=PATH", help="one more; repeatable")
    p.add_argument("--subject", default=allocators.SUBJECT, metavar="NAME",
                   help="the one that is compared (%(default)s)")
    p.add_argument("--threads", type=bench.count_list, metavar="1,8,64",
                   help="of the loads that take any number")
    p.add_argument("--pairs", action="store_true",
                   help="all hundred shifts of a profile to another")
    p.add_argument("--rounds", type=bench.count, metavar="N",
                   help="at most (%d)" % FULL["rounds"])
    p.add_argument("--minutes", type=bench.positive, metavar="M",
                   help="begin no further round that would end later (%g)"
                   % FULL["minutes"])
    p.add_argument("--scale", type=bench.positive, metavar="X",
                   help="times the usual heap, 256 MiB of a profile (%g)"
                   % FULL["scale"])
    p.add_argument("--jobs", type=bench.count, metavar="N",
                   help="runs at a time; most of a run is sleep (%d, quick "
                   "%d)" % (FULL["jobs"], QUICK["jobs"]))
    p.add_argument("--limit", type=bench.count, default=120, metavar="S",
                   help="a run that takes longer has failed (%(default)s)")
    return bench.add_ends(p, "report")


def settle(args):
    bench.settle(args, FORMS, "memory")
    args.curves = os.path.join(args.folder, "curves-" + args.form)
    return args


def find_cells(args):
    found = work.load_cells(args.load, args.form, args.threads, args.pairs,
                            args.limit)
    found += work.trace_cells(
        os.path.join(args.folder, "replay"),
        os.path.join(STRESS, "trace", "traces"),
        os.path.join(args.folder, "traces"), args.form, args.limit)
    return cells.select(found, args.only)


def install():
    """A peer that cannot be had is left out later, by its missing file."""
    for package in ["gnuplot-nox"] + [peer[2] for peer in allocators.PEERS]:
        subprocess.run([bench.INSTALL, package], check=False,
                       stderr=subprocess.DEVNULL)


def make_header(args, chosen):
    """The load average is told, and not waited for: it hardly matters."""
    load = os.getloadavg()[0]
    return {
        "date": datetime.date.today().isoformat(), "form": args.form,
        "scale": args.scale, "verify": False,
        "subject": args.subject, "loads": bench.digest(args.load),
        "machine": machine.describe(), "load_average": load,
        "complaint": machine.complaint(load),
        "allocators": {a.name: allocators.describe(a) for a in chosen},
    }


def measure(args, chosen_cells, chosen):
    """Runs what is wanted; the runs are in the file."""
    runs = store.Store(args.runs)
    header = make_header(args, chosen)
    if args.resume and runs.exists():
        runs.resume(header)
    else:
        runs.start(header)
    runner = work.Runner(os.path.join(args.folder, "watch"), args.scale,
                         args.curves)
    doing = work.Session(chosen_cells, chosen, runner, runs)
    doing.jobs_at_once = args.jobs
    done = doing.run(args.rounds, args.minutes * 60)
    note("%d of %d rounds in %.1f min" % (done, args.rounds,
                                          doing.spent() / 60))


def place(run):
    """Loads before traces, and the numbers in a name as numbers."""
    name = [int(part) if part.isdigit() else part
            for part in re.split(r"(\d+)", run["load"])]
    return run["kind"] == "program", name, run["threads"]


def write_report(args):
    runs = store.Store(args.runs).read()
    results = figures.Results(runs.header, sorted(runs.runs, key=place),
                              runs.header["subject"])
    text = tables.summary(results)
    page = os.path.join(args.folder, "summary-%s.md" % args.form)
    report.write(page, text)
    made = pictures.draw_all(results, args.folder, args.curves,
                             os.path.join(HERE, "plots"), note)
    print(text)
    if args.into and not report.into_page(args.into, text):
        raise Fault("%s has no marks to write between" % args.into)
    note("runs in %s, report in %s, %d pictures" % (args.runs, page,
                                                    len(made)))
    failed = [row for row in results.failures() if row[1] == results.subject]
    return 1 if failed or not results.nr_runs else 0


def main(words):
    args = settle(options().parse_args(words))
    if args.report:
        return write_report(args)
    chosen_cells = find_cells(args)
    if args.list:
        bench.show(chosen_cells)
        return 0
    if not args.no_install:
        install()
    measure(args, chosen_cells, bench.find_allocators(args))
    return write_report(args)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, bench.interrupted)
    try:
        sys.exit(main(sys.argv[1:]))
    except Fault as fault:
        note(str(fault))
        sys.exit(2)
    except KeyboardInterrupt:
        note("interrupted; --resume goes on, --report shows what there is")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
