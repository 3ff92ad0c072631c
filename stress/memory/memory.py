#!/usr/bin/env python3
"""Measures memory over live bytes of lanemalloc and its peers.

Every allocator is preloaded in turn; see docs/memory.md.
"""

import os
import re
import sys

sys.dont_write_bytecode = True

HERE = os.path.dirname(os.path.abspath(__file__))
STRESS = os.path.dirname(HERE)
ROOT = os.path.dirname(STRESS)
sys.path[:0] = [os.path.join(STRESS, x) for x in ("bench", "trace")]

import bench  # noqa: E402
from driver import cells, figures, report, store  # noqa: E402

from account import pictures, tables, work  # noqa: E402

FORMS = {
    "full": {"rounds": 3, "minutes": 300.0, "scale": 1.0, "jobs": 1},
    "quick": {"rounds": 1, "minutes": 10.0, "scale": 0.25, "jobs": 3},
}


def note(text):
    print("memory: " + text, file=sys.stderr, flush=True)


def options():
    p = bench.options(__doc__, FORMS, "1,8,64", "report")
    p.add_argument("--pairs", action="store_true",
                   help="all hundred shifts of a profile to another")
    p.add_argument("--jobs", type=bench.count, metavar="N",
                   help="runs at a time; most of a run is sleep (%d, quick "
                   "%d)" % tuple(FORMS[form]["jobs"] for form in FORMS))
    return p


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


def measure(args, chosen_cells, chosen):
    """Runs what is wanted; the runs are in the file."""
    # The load average is told, and not waited for: it hardly matters.
    runs = bench.begin(args, bench.make_header(args, chosen,
                                               os.getloadavg()[0]))
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
    made = pictures.draw_all(results, args.folder, args.curves, note)
    print(text)
    if args.into:
        report.into_page(args.into, text)
    note("runs in %s, report in %s, %d pictures" % (args.runs, page,
                                                    len(made)))
    failed = [row for row in results.failures() if row[1] == results.subject]
    return 1 if failed or not results.nr_runs else 0


def main(words):
    args = settle(options().parse_args(words))
    return bench.go(args, find_cells, bench.install, measure, write_report)


if __name__ == "__main__":
    bench.start(main, note)
