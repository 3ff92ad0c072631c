"""The driver's own test: made-up runs whose figures are known.

`make memory-selftest`. The programs are built before.
"""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
STRESS = os.path.dirname(HERE)
sys.path[:0] = [HERE] + [os.path.join(STRESS, x) for x in ("bench", "trace")]

import trace_form  # noqa: E402
from account import pictures, series, tables, work  # noqa: E402
from driver import Fault, allocators, cells, figures, machine  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(
    HERE, "..", "..", "build")))
LOAD = os.path.join(BUILD, "memory", "load")
WATCH = os.path.join(BUILD, "memory", "watch")
MIB = 2**20

SERIES = """sample 0 100 200
sample 10 100 400
sample 20 300 400
mark work 30 200 450 live_size 210 cached_size 20 slab_free_size 100 \
free_dirty_size 60 metadata_size 10
sample 500 50 900
mark idle 4000 50 60 live_size 51 cached_size 0 slab_free_size 2 \
free_dirty_size 0 metadata_size 3
"""


def made(text=SERIES):
    return series.figures(*series.parse(text))


class Figures(unittest.TestCase):
    def test_peak_is_of_both_apart(self):
        self.assertEqual(made()["peak"], 3.0)

    def test_a_mark_may_be_the_peak(self):
        text = SERIES.replace("200 450", "200 990")
        self.assertEqual(made(text)["peak_rss"], 990)

    def test_mean_is_over_time_and_ends_with_the_work(self):
        """(10*600 + 10*800 + 10*850) / (10*200 + 10*400 + 10*500)"""
        self.assertAlmostEqual(made()["mean"], 22500 / 11000)

    def test_mean_of_uneven_steps(self):
        text = "sample 0 10 10\nsample 90 10 10\nsample 100 10 30\n"
        self.assertAlmostEqual(made(text)["mean"], 1.1)

    def test_marks(self):
        self.assertEqual(made()["work"], 2.25)
        self.assertEqual((made()["idle_rss"], made()["idle_live"]), (60, 50))

    def test_nothing_lives(self):
        found = made("sample 0 0 50\nmark idle 9 0 40\n")
        self.assertNotIn("peak", found)
        self.assertNotIn("mean", found)
        self.assertEqual(found["idle_rss"], 40)

    def test_losses_add_up(self):
        parts = series.losses(made(), "work")
        self.assertEqual(parts, {
            "live": 200, "objects": 10, "slabs": 100, "caches": 20,
            "runs": 60, "metadata": 10, "other": 50, "rss": 450})
        self.assertIsNone(series.losses(made("mark work 3 1 2\n"), "work"))

    def test_other_lines_are_refused(self):
        for text in ("sample 1 2\n", "hello\n", "mark work 1 2\n",
                     "mark work 1 2 3 key\n", "sample 1 2 x\n"):
            with self.assertRaises(ValueError):
                series.parse(text)
        with self.assertRaisesRegex(ValueError, "saw no memory"):
            made("")

    def test_thin_keeps_peaks(self):
        points = [series.Sample(i, 1, i % 7) for i in range(100)]
        kept = series.thin(points, 20)
        self.assertEqual(len(kept), 20)
        self.assertEqual(max(point.rss for point in kept), 6)


def record(load, name, turn, rss):
    values = {"seconds": 1.0, "ns_per_operation": 1.0}
    values.update(made("sample 0 %d %d\nmark shift 9 %d %d live_size %d "
                       "cached_size 0 slab_free_size %d free_dirty_size 0 "
                       "metadata_size 0\nmark idle 99 %d %d\n" % (
                           MIB, rss, MIB, rss, MIB, rss - MIB, MIB, rss)))
    return {"load": load, "kind": "load", "threads": 8, "took": 1.0,
            "allocator": name, "round": turn, "status": "ok",
            "values": values}


def results(sizes):
    header = {"date": "2000-01-01", "form": "full", "scale": 1.0,
              "subject": "lanemalloc", "complaint": None,
              "machine": machine.describe(),
              "allocators": {name: {"version": "1", "per_thread": True}
                             for name in sizes}}
    runs = [record("shift0-1", name, turn, size * MIB * (9 + turn) // 10)
            for turn in range(3) for name, size in sizes.items()]
    return figures.Results(header, runs, "lanemalloc")


SMALL = {"lanemalloc": 20, "glibc": 40, "jemalloc": 30}
BIG = {"lanemalloc": 40, "glibc": 20, "jemalloc": 30}


class Tables(unittest.TestCase):
    def test_means_stand_upright(self):
        self.assertIn("| glibc | 0.50 | 0.50 | 0.50 | - | 0.50 |",
                      tables.means(results(SMALL)))
        self.assertIn("| glibc | 2.00 | 2.00 | 2.00 | - | 2.00 |",
                      tables.means(results(BIG)))
        self.assertIn("| the best of each load | 0.67 |",
                      tables.means(results(SMALL)))

    def test_the_smallest_is_bold(self):
        row = "| shift0-1, 8 threads | %s | %s | 30.0 |"
        for sizes, one, two in ((SMALL, "**20.0**", "40.0"),
                                (BIG, "40.0", "**20.0**")):
            self.assertIn(row % (one, two), tables.ratio_table(
                results(sizes), "peak", "x", "y"))

    def test_summary(self):
        text = tables.summary(results(SMALL))
        self.assertIn("| shift0-1, 8 threads | shift | 1.0 | 0.0 | 19.0 |",
                      text)
        self.assertIn("No run failed.", text)
        self.assertNotIn("nine of ten", text)

    def test_pictures_have_their_data(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in SMALL:
                with open(work.curve(folder, "shift0-1", 8, name), "w",
                          encoding="utf-8") as f:
                    f.write("0\t1\t2\n1\t1\t3\n")
            notes = []
            for path in pictures.draw_all(
                    results(SMALL), folder, folder, notes.append):
                with open(path, encoding="utf-8") as f:
                    self.assertIn("jemalloc", f.read())
            self.assertEqual([n for n in notes if "no gnuplot" not in n], [])


class Cells(unittest.TestCase):
    def test_forms(self):
        full = work.load_cells(LOAD, "full", None, False, 9)
        names = [(cell.load, cell.threads) for cell in full]
        self.assertEqual(len(names), len(set(names)))
        for wanted in (("fleet3", 64), ("shift9-0", 1), ("sessions", 8),
                       ("pool", 1)):
            self.assertIn(wanted, names)
        quick = work.load_cells(LOAD, "quick", None, False, 9)
        self.assertLess(len(quick), 10)
        pairs = work.load_cells(LOAD, "full", [8], True, 9)
        self.assertEqual(sum(cell.load.startswith("shift")
                             for cell in pairs), 100)


    def test_threads_of_a_trace(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x")
            for head, number in ((b"\x03\x81", 3), (b"\x81\x02\x05", 257)):
                with open(path, "wb") as f:
                    f.write(trace_form.MAGIC + head)
                self.assertEqual(work.nr_threads(path), number)
            with open(path, "wb") as f:
                f.write(b"hello")
            with self.assertRaisesRegex(Fault, "is no trace"):
                work.nr_threads(path)


class Runs(unittest.TestCase):
    """Real runs, small ones, under the malloc that is always there."""

    GLIBC = allocators.Allocator("glibc", None, None, False)

    def run_load(self, load, threads, scale):
        with tempfile.TemporaryDirectory() as folder:
            runner = work.Runner(WATCH, scale, folder)
            cell = cells.Cell(load, "load", threads, LOAD, "", 60)
            return runner.run(cell, self.GLIBC, 0)

    def test_a_heap_of_the_wanted_size(self):
        seen = self.run_load("shift1-2", 3, 8 / 256)
        self.assertEqual(seen["status"], "ok", seen.get("why"))
        values = seen["values"]
        for stage in ("fill", "steady", "shift"):
            self.assertGreater(values[stage + "_live"], 6 * MIB)
            self.assertLess(values[stage + "_live"], 10 * MIB)
            self.assertGreater(values[stage], 1.0)
        share = values["shrink_live"] / values["shift_live"]
        self.assertTrue(0.07 < share < 0.13, share)

    def test_a_load_that_fails(self):
        seen = self.run_load("nothing", 1, 1)
        self.assertEqual(seen["status"], "failed")
        self.assertIn("no load is named 'nothing'", seen["why"])


if __name__ == "__main__":
    unittest.main()
