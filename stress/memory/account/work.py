"""The cells of a form, and one run of one of them under one allocator."""

import concurrent.futures
import glob
import lzma
import os

from driver import Fault, cells, running, session

import trace_form

from account import series

# Loads that live by a profile, as patterns of names: each profile is once the
# one that a heap begins with and once the one that it is shifted to.
SHIFTS = tuple("shift%d-%d" % (i, (i + 1) % 10) for i in range(10))
FLEETS = tuple("fleet%d" % i for i in range(10))
PATTERNS = ("values", "strings", "phases", "drift", "pool", "short",
            "sessions")
FORMS = {
    "full": (((1, 8, 64), FLEETS + SHIFTS), ((1, 8), PATTERNS)),
    "quick": (((8,), ("shift0-1", "shift7-8", "shift9-0")),
              ((1,), ("values", "strings", "phases", "drift"))),
}
QUICK_TRACES = ("redis", "gcc")
POINTS = 240    # of a curve that is drawn


def load_cells(program, form, threads, pairs, limit):
    """The form's; with `pairs` every pair of profiles."""
    known = {name: (parallel, about) for name, parallel, about in
             cells.list_loads(program)}
    found = []
    for numbers, names in FORMS[form]:
        if pairs and "shift0-1" in names:
            names = FLEETS + tuple(sorted(
                name for name in known if name.startswith("shift")))
        for name in names:
            parallel, about = known[name]
            for number in (threads or numbers) if parallel else (1,):
                cell = cells.Cell(name, "load", number, program, about,
                                  limit)
                if cell not in found:
                    found.append(cell)
    return found


def trace_cells(program, folder, into, form, limit):
    """A cell a trace; it is unpacked, as the program reads it so."""
    found = []
    for path in sorted(glob.glob(os.path.join(folder, "*.trace.xz"))):
        name = os.path.basename(path)[:-len(".trace.xz")]
        if form == "quick" and name not in QUICK_TRACES:
            continue
        trace = unpack(path, into)
        found.append(cells.Cell(name, "program", nr_threads(trace), program,
                                trace, limit))
    return found


def nr_threads(path):
    """The first number of a trace."""
    with open(path, "rb") as f:
        data = f.read(len(trace_form.MAGIC) + 10)
    if not data.startswith(trace_form.MAGIC):
        raise Fault("%s is no trace" % path)
    return next(trace_form.numbers(data, len(trace_form.MAGIC)))


def unpack(path, into):
    os.makedirs(into, exist_ok=True)
    target = os.path.join(into, os.path.basename(path)[:-len(".xz")])
    if not os.path.exists(target) or \
            os.path.getmtime(target) < os.path.getmtime(path):
        with lzma.open(path) as packed, open(target + ".new", "wb") as out:
            out.write(packed.read())
        os.replace(target + ".new", target)
    return target


class Runner(running.Runner):
    """watch: path of the watcher; scale: for the loads; keep: a folder that
    gets the curve of each cell's last run."""

    def __init__(self, watch, scale, keep):
        super().__init__(watch, scale, False)
        self.keep = keep

    def command(self, cell, allocator, turn, cost):
        if cell.kind == "program":
            return [self.measure, cost, allocator.path or "-", cell.path,
                    cell.load, cell.about], {}
        return self.load(self.measure, cell, allocator, turn, cost), {}

    def look(self, cell, allocator, path, record):
        try:
            with open(path, encoding="utf-8") as f:
                samples, marks = series.parse(f.read())
            record["values"].update(series.figures(samples, marks))
        except (OSError, ValueError) as error:
            record.update(status="failed", why=str(error))
            return
        os.makedirs(self.keep, exist_ok=True)
        path = curve(self.keep, cell.load, cell.threads, allocator.name)
        with open(path, "w", encoding="utf-8") as f:
            for point in series.thin(samples, POINTS):
                f.write("%g\t%g\t%g\n" % (point.ms / 1e3, point.live / 2**20,
                                          point.rss / 2**20))


class Session(session.Session):
    """Several runs at a time: most of each is sleep, and memory hardly
    depends on who else works. What they tell is kept by this thread."""

    jobs_at_once = 1

    def round(self, turn, jobs, rounds, seconds):
        with concurrent.futures.ThreadPoolExecutor(self.jobs_at_once) as pool:
            waiting = [pool.submit(self.runner.run, cell, allocator, turn)
                       for cell, allocator in jobs]
            try:
                for number, done in enumerate(
                        concurrent.futures.as_completed(waiting)):
                    self.keep(done.result())
                    self.progress(turn, jobs[number:], rounds, seconds)
            finally:
                pool.shutdown(cancel_futures=True)


def curve(folder, load, threads, name):
    """Where they are: lines of seconds, live MiB, resident MiB."""
    return os.path.join(folder, "%s-%d-%s.dat" % (load, threads, name))
