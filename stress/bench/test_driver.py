"""The driver's own test: made-up runs whose ratios and verdicts are known.

`make bench-selftest`. Each aim is seen met by runs in which the subject is
the faster one and missed by the same runs with the names exchanged, so that
a ratio that stands upside down fails here.
"""

import io
import os
import shutil
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from driver import Fault, allocators, cells, figures, judge  # noqa: E402
from driver import machine, plots, report, running, session  # noqa: E402
from driver import store  # noqa: E402

NAMES = ("lanemalloc", "glibc", "jemalloc")
LOADS = (("larson", "load", (1, 8, 64, 512)), ("churn", "churn", (1, 512)),
         ("latency", "latency", (256,)), ("worst", "worst", (1, 256)),
         ("idle", "idle", (1, 512)),
         ("redis", "program", (1,)))


def header(names=NAMES):
    return {"date": "2000-01-01", "form": "full", "scale": 1.0,
            "verify": False, "subject": "lanemalloc", "loads": "0",
            "machine": machine.describe(), "complaint": None,
            "allocators": {name: {"path": None, "sha256": None,
                                  "version": "1", "per_thread":
                                  name == "jemalloc"} for name in names}}


def record(load, kind, threads, name, turn, ns, rss=1000.0):
    values = {"threads": threads, "operations": 10.0, "seconds": ns * 1e-8,
              "ns_per_operation": ns}
    if kind == "latency":
        for key in ("malloc_p50", "malloc_p99.9", "malloc_p99.99",
                    "malloc_worst"):
            values[key] = ns
    if kind == "worst":
        for key in ("malloc_own", "free_own", "nothing_own"):
            values[key] = ns * 1e3 * (key != "malloc_own" or threads == 1)
    return {"load": load, "kind": kind, "threads": threads, "took": 1.0,
            "allocator": name, "round": turn, "status": "ok",
            "values": values, "cpu": ns, "rss_kib": rss}


def made_up(speed, rss=None, rounds=5):
    """Runs in which `name` takes speed[name] ns, give or take 3 %."""
    rss = rss or dict.fromkeys(speed, 1000.0)
    return [record(load, kind, threads, name, turn,
                   speed[name] * (0.99 + 0.01 * turn), rss[name])
            for turn in range(rounds) for load, kind, numbers in LOADS
            for threads in numbers for name in speed]


def results(runs):
    return figures.Results(header(), runs, "lanemalloc")


def verdicts(runs):
    return {v.aim: v for v in judge.judge(results(runs))}


FAST = {"lanemalloc": 50.0, "glibc": 100.0, "jemalloc": 80.0}
SLOW = {"lanemalloc": 100.0, "glibc": 50.0, "jemalloc": 80.0}
SMALL = {"lanemalloc": 500.0, "glibc": 600.0, "jemalloc": 1000.0}
BIG = {"lanemalloc": 1000.0, "glibc": 600.0, "jemalloc": 500.0}


class Ratios(unittest.TestCase):
    def test_direction(self):
        seen = results(made_up(FAST))
        self.assertAlmostEqual(seen.ratio(("larson", 1), "glibc"), 0.5)
        self.assertEqual(seen.best(("larson", 1))[1], "jemalloc")
        self.assertAlmostEqual(seen.to_best(("larson", 1))[0], 0.625)

    def test_geometric_mean(self):
        self.assertAlmostEqual(figures.geometric_mean([0.5, 2.0]), 1.0)
        self.assertAlmostEqual(figures.geometric_mean([0.5, None, 8.0]), 2.0)
        self.assertIsNone(figures.geometric_mean([None]))

    def test_median_of_rounds(self):
        runs = [record("larson", "load", 1, "glibc", turn, ns)
                for turn, ns in enumerate((10.0, 90.0, 11.0))]
        sample = results(runs).sample(("larson", 1), "glibc")
        self.assertEqual(sample.median("ns"), 11.0)
        self.assertEqual(sample.span("ns"), (10.0, 90.0))

    def test_worst_is_the_highest_ratio(self):
        runs = made_up(FAST)
        for run in runs:
            if run["load"] == "redis" and run["allocator"] == "lanemalloc":
                run["values"]["ns_per_operation"] *= 3
        ratio, cell, peer = results(runs).worst(
            results(runs).timed())[0]
        self.assertEqual((cell[0], peer), ("redis", "jemalloc"))
        self.assertAlmostEqual(ratio, 1.875)

    def test_ranks(self):
        self.assertAlmostEqual(
            figures.chance_higher([6, 7, 8, 9, 10], [1, 2, 3, 4, 5]), 1 / 252)
        self.assertAlmostEqual(
            figures.chance_higher([5, 7, 8, 9, 10], [1, 2, 3, 4, 6]), 2 / 252)
        self.assertAlmostEqual(figures.chance_higher([1, 1], [1, 1]), 1.0)
        self.assertAlmostEqual(
            figures.chance_higher([1, 2, 3], [4, 5, 6]), 1.0)
        self.assertGreaterEqual(
            figures.chance_higher([4, 5, 6], [1, 2, 3]), figures.NOISE)

    def test_noise_is_what_ranks_do_not_tell(self):
        near = results(made_up({"lanemalloc": 80.5, "glibc": 100.0,
                                "jemalloc": 80.0}))
        self.assertTrue(near.near(("larson", 64), "jemalloc"))
        far = results(made_up({"lanemalloc": 84.0, "glibc": 100.0,
                               "jemalloc": 80.0}))
        self.assertFalse(far.near(("larson", 64), "jemalloc"))

    def test_sleeping_is_not_timed(self):
        self.assertNotIn("idle", {c[0] for c in
                                  results(made_up(FAST)).timed()})


class Aims(unittest.TestCase):
    def test_all_met(self):
        for aim, seen in verdicts(made_up(FAST, SMALL)).items():
            self.assertEqual(seen.verdict, "met", aim)

    def test_all_missed(self):
        """The negative control: only the failures' aim is met here."""
        for aim, seen in verdicts(made_up(SLOW, BIG)).items():
            if not aim.startswith("no run"):
                self.assertIn("missed by", seen.verdict, aim)

    def test_limits_are_inclusive(self):
        speed = {"lanemalloc": 85.0, "glibc": 100.0, "jemalloc": 100.0}
        seen = verdicts(made_up(speed))
        aim = "time, geometric mean, against glibc"
        self.assertEqual(seen[aim].verdict, "met")
        seen = verdicts(made_up({**speed, "lanemalloc": 87.0}))
        self.assertEqual(seen[aim].verdict, "missed by 2 %")

    def test_nothing_measured(self):
        for aim, seen in verdicts([]).items():
            self.assertEqual(seen.verdict, "not measured", aim)

    def test_many_threads_within_noise(self):
        seen = verdicts(made_up({"lanemalloc": 80.5, "glibc": 100.0,
                                 "jemalloc": 80.0}))
        aim = "time at 64 threads, first or within noise"
        self.assertEqual(seen[aim].verdict, "met")
        self.assertIn("missed", seen[
            "thread churn, first at every number of threads"].verdict)

    def test_memory_is_against_threads_caches(self):
        """glibc is the smallest here, and does not count at 512."""
        seen = verdicts(made_up(FAST, SMALL))
        aim = "RSS at 512 threads, against the best of threads' caches, "
        self.assertAlmostEqual(seen[aim + "worst cell"].value, 0.5)
        self.assertAlmostEqual(
            seen["RSS with one thread, against the best peer, "
                 "worst cell"].value, 500 / 600)

    def test_the_longest_call_is_in_microseconds(self):
        """The worst of the cells; the load's time is nobody's."""
        aim = "longest call, without what others ran meanwhile, of 100 us"
        seen = verdicts(made_up(FAST))[aim]
        self.assertAlmostEqual(seen.value, 0.505)
        self.assertIn("in the worst round 52 us; a stretch without a call "
                      "50 us", seen.note)
        seen = verdicts(made_up(SLOW))[aim]
        self.assertEqual(seen.verdict, "missed by 1 %")
        self.assertNotIn("worst", {c[0] for c in
                                   results(made_up(FAST)).timed()})

    def test_a_failure_is_seen(self):
        runs = made_up(FAST, SMALL)
        runs[0].update(status="failed", why="killed by SIGSEGV")
        self.assertEqual(runs[0]["allocator"], "lanemalloc")
        seen = verdicts(runs)["no run of lanemalloc fails"]
        self.assertEqual(seen.verdict, "missed: 1 failed")
        self.assertIsNone(results(runs).ratio(("larson", 1), "glibc"))
        self.assertIn("killed by SIGSEGV", report.summary(results(runs)))

    def test_a_failed_peer_is_not_the_best(self):
        runs = made_up(SLOW)
        for run in runs:
            if run["allocator"] == "glibc" and run["round"] == 1:
                run.update(status="timeout", why="not ended after 9 s")
        self.assertEqual(results(runs).best(("larson", 1))[1], "jemalloc")


class Report(unittest.TestCase):
    def test_summary(self):
        text = report.summary(results(made_up(FAST, SMALL)))
        for part in ("16 of 16 measured ones met", "| glibc | 0.50 |", "0.62 (jemalloc)",
                     "malloc p99.99", "### Peak RSS with 512 threads",
                     "No run failed."):
            self.assertIn(part, text)

    def test_the_page_keeps_the_rest(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "page.md")
            page = "a\n<!-- bench: begin -->\n%s<!-- bench: end -->\nb\n"
            report.write(path, page % "old\n")
            report.into_page(path, "new\n")
            with open(path, encoding="utf-8") as f:
                self.assertEqual(f.read(), page % "new\n")
            report.write(path, "no marks\n")
            with self.assertRaisesRegex(Fault, "has no marks"):
                report.into_page(path, "new\n")

    def test_each_machine_has_its_page(self):
        with tempfile.TemporaryDirectory() as parent:
            folder = os.path.join(parent, "performance")
            report.write(folder + ".md",
                         "<!-- bench: begin -->\n<!-- bench: end -->\n")
            runs = results(made_up(FAST, SMALL))
            for cpu in ("Some CPU (R)", "Other"):
                report.into_folder(folder, {"cpus": 2, "cpu": cpu},
                                   report.summary(runs))
            self.assertEqual(sorted(os.listdir(folder)),
                             ["other.md", "some-cpu-r.md"])
            with open(folder + ".md", encoding="utf-8") as f:
                page = f.read()
            self.assertIn("| aim | at most | [2 x Other](performance/other.md)"
                          " | [2 x Some CPU (R)]", page)
            self.assertIn("against glibc | 0.85 | 0.50 | 0.50 |", page)

    def test_pictures_have_their_data(self):
        with tempfile.TemporaryDirectory() as folder:
            notes = []
            made = plots.draw_all(results(made_up(FAST, SMALL)), folder,
                                  notes.append)
            for name, _ in plots.PLOTS:
                self.assertTrue(os.path.getsize(
                    os.path.join(folder, name + "-full.dat")))
            for path in made:
                with open(path, encoding="utf-8") as f:
                    self.assertIn("jemalloc" if "ratios" not in path
                                  else "larson", f.read())
            self.assertEqual([n for n in notes if "no gnuplot" not in n], [])


class Runs(unittest.TestCase):
    CELL = cells.Cell("larson", "load", 8, "load", "", 1)

    def test_line(self):
        values = running.parse(self.CELL, "noise\nlarson threads 8 "
                               "operations 9 seconds 0.5 malloc_p99.9 12\n")
        self.assertEqual(values["malloc_p99.9"], 12)
        self.assertIsNone(running.parse(self.CELL, "larson threads\n"))
        self.assertIsNone(running.parse(self.CELL, "other threads 8\n"))

    def test_faults(self):
        for status, output, errors, wanted, why in (
                (None, "", "", "timeout", "not ended after 1 s"),
                (139, "", "", "failed", "killed by SIGSEGV"),
                (1, "", "load: wrong byte\n", "failed",
                 "status 1: load: wrong byte"),
                (1, "not ok redis: died\n", "", "failed",
                 "status 1: redis: died"),
                (0, "hello\n", "", "failed",
                 "no figures in its output: hello"),
                (0, "larson seconds 1\n", "ERROR: ld.so: object 'x' from "
                 "LD_PRELOAD cannot be preloaded: ignored.\n", "failed",
                 "ERROR: ld.so: object 'x' from LD_PRELOAD cannot be "
                 "preloaded: ignored.")):
            seen = running.judge(self.CELL, status, output, errors)
            self.assertEqual((seen["status"], seen["why"]), (wanted, why))

    def test_limit(self):
        status, _, _ = running.execute(["sleep", "60"], {}, 0.2)
        self.assertIsNone(status)

    def test_a_wrong_preload_is_a_fault(self):
        ls = shutil.which("ls")
        wrong = allocators.Allocator("x", "/nowhere/x.so", None, True)
        with self.assertRaisesRegex(Fault, "^x: no file /nowhere/x.so$"):
            allocators.probe(wrong, ls, running.environment())
        libm = allocators.find("libm.so.6")
        wrong = allocators.Allocator("x", libm, None, True)
        with self.assertRaisesRegex(Fault, "malloc comes from .*libc.so.6"):
            allocators.probe(wrong, ls, running.environment())


class FakeRunner:
    def __init__(self, fail_at=None):
        self.seen = []
        self.fail_at = fail_at

    def run(self, cell, allocator, turn):
        if len(self.seen) == self.fail_at:
            raise KeyboardInterrupt
        self.seen.append((turn, cell.load, allocator.name))
        made = record(cell.load, cell.kind, cell.threads, allocator.name,
                      turn, 10.0)
        if (cell.load, allocator.name) == ("slow", "jemalloc"):
            made.update(status="timeout", why="not ended after 1 s")
        return made


class Sessions(unittest.TestCase):
    CELLS = [cells.Cell(load, "load", 1, "", "", 1)
             for load in ("larson", "slow")]
    ALLOCATORS = [allocators.Allocator(n, None, None, False) for n in NAMES]

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "runs")
        self.store = store.Store(self.path)
        self.store.start(header())

    def tearDown(self):
        self.folder.cleanup()

    def session(self, runner):
        return session.Session(self.CELLS, self.ALLOCATORS, runner,
                               self.store, io.StringIO())

    def test_alternates_and_rotates(self):
        runner = FakeRunner()
        self.session(runner).run(2, 1e9)
        self.assertEqual(runner.seen[0:3], [(0, "larson", n) for n in NAMES])
        self.assertEqual([s[2] for s in runner.seen if s[:2] ==
                          (1, "larson")], [*NAMES[1:], NAMES[0]])

    def test_a_run_without_end_is_not_repeated(self):
        runner = FakeRunner()
        self.session(runner).run(3, 1e9)
        self.assertEqual(sum(s[1:] == ("slow", "jemalloc")
                             for s in runner.seen), 1)

    def test_rounds_end_with_the_time(self):
        """A round takes 6 s at first, 5 s without the run that is lost."""
        runner = FakeRunner()
        self.assertEqual(self.session(runner).run(5, 12), 2)
        self.assertEqual(len(runner.seen), 11)

    def test_resumes_after_an_interruption(self):
        with self.assertRaises(KeyboardInterrupt):
            self.session(FakeRunner(fail_at=4)).run(2, 1e9)
        with open(self.path, "a", encoding="utf-8") as f:
            f.write('{"load": "lars')
        self.store = store.Store(self.path)
        self.store.resume(header())
        self.assertEqual(len(self.store.runs), 4)
        self.session(FakeRunner()).run(2, 1e9)
        seen = [(r["round"], r["load"], r["allocator"])
                for r in store.Store(self.path).read().runs]
        self.assertEqual(len(seen), 11)
        self.assertEqual(len(set(seen)), 11)

    def test_other_libraries_do_not_mix(self):
        other = header()
        other["allocators"]["glibc"]["sha256"] = "1"
        with self.assertRaisesRegex(Fault, "another allocators"):
            self.store.resume(other)


if __name__ == "__main__":
    unittest.main()
