"""The recorder, the compact form and the replayer, by known programs."""

import collections
import glob
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import trace_form as form  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(
    HERE, "..", "..", "build")))
PROGRAMS = os.path.join(BUILD, "memory")


def raw(*rows):
    """Events of (thread, op, block, size[, shift]), a millisecond apart."""
    return [(i + 1, row[0], i * 10**6, row[1], row[2], row[3],
             row[4] if len(row) > 4 else 0) for i, row in enumerate(rows)]


def events(*rows):
    """Those of the compact form, without the pauses."""
    return [event for event in form.decode(form.convert(raw(*rows)))[1]
            if event[0] != form.PAUSE]


class Form(unittest.TestCase):
    def test_numbers(self):
        out = form.Writer()
        values = [0, 1, 127, 128, 300, 2**35, 2**63]
        for value in values:
            out.number(value)
        self.assertEqual(list(form.numbers(bytes(out.stream), 0)), values)

    def test_ages(self):
        self.assertEqual(events(
            (0, form.RAW_ALLOC, 16, 10), (0, form.RAW_ALLOC, 32, 20),
            (0, form.RAW_FREE, 16, 0), (0, form.RAW_ALIGNED, 16, 30, 6),
            (0, form.RAW_FREE, 16, 0), (0, form.RAW_FREE, 32, 0)), [
                (form.ALLOC, 10, None), (form.ALLOC, 20, None),
                (form.FREE, 2, None), (form.ALIGNED, 6, 30),
                (form.FREE, 1, None), (form.FREE, 2, None)])

    def test_threads_end_after_their_last_event(self):
        self.assertEqual(events(
            (0, form.RAW_ALLOC, 16, 10), (7, form.RAW_FREE, 16, 0),
            (7, form.RAW_ALLOC, 16, 5), (7, form.RAW_END, 0, 0),
            (7, form.RAW_FREE, 16, 0), (0, form.RAW_ZERO, 16, 6)), [
                (form.ALLOC, 10, None), (form.THREAD, 1, None),
                (form.FREE, 1, None), (form.ALLOC, 5, None),
                (form.FREE, 1, None), (form.END, 0, None),
                (form.THREAD, 0, None), (form.ZERO, 6, None)])

    def test_a_block_moves_while_its_place_is_taken(self):
        """Between the two halves of a realloc another thread gets the old
        address."""
        self.assertEqual(events(
            (0, form.RAW_ALLOC, 16, 10), (0, form.RAW_RESIZE, 16, 99),
            (1, form.RAW_ALLOC, 16, 11), (0, form.RAW_RESIZED, 32, 99),
            (0, form.RAW_FREE, 32, 0), (0, form.RAW_FREE, 16, 0)), [
                (form.ALLOC, 10, None), (form.THREAD, 1, None),
                (form.ALLOC, 11, None), (form.THREAD, 0, None),
                (form.RESIZE, 2, 99), (form.FREE, 2, None),
                (form.FREE, 1, None)])

    def test_realloc_that_fails(self):
        self.assertEqual(events(
            (0, form.RAW_ALLOC, 16, 10), (0, form.RAW_RESIZE, 16, 99),
            (0, form.RAW_RESIZED, 0, 99), (0, form.RAW_FREE, 16, 0)), [
                (form.ALLOC, 10, None), (form.FREE, 1, None)])

    def test_blocks_from_before(self):
        self.assertEqual(events(
            (0, form.RAW_FREE, 16, 0), (0, form.RAW_RESIZE, 32, 9),
            (0, form.RAW_RESIZED, 48, 9)), [(form.ALLOC, 9, None)])

    def test_head(self):
        head, _ = form.decode(form.convert(raw(
            (0, form.RAW_ALLOC, 16, 10), (3, form.RAW_ALLOC, 32, 20),
            (0, form.RAW_FREE, 16, 0), (0, form.RAW_ALLOC, 16, 5))))
        self.assertEqual((head[0], head[1], head[3], head[4]),
                         (2, 3, 3000, 30))


def record(folder):
    """A recording of `known`."""
    environment = {**os.environ, "LANE_TRACE": os.path.join(folder, "raw"),
                   "LD_PRELOAD": os.path.join(PROGRAMS, "recorder.so")}
    subprocess.run([os.path.join(PROGRAMS, "known")], env=environment,
                   check=True, timeout=60)
    found = glob.glob(os.path.join(folder, "raw.*"))
    assert len(found) == 1, found
    return form.read_raw(found[0])


class Recorder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            cls.raw = record(folder)
        cls.head, cls.events = form.decode(form.convert(cls.raw))

    def births(self, *sizes):
        return sum(event[3] in form.BIRTHS and event[5] in sizes
                   for event in self.raw)

    def test_every_call_is_there_once(self):
        self.assertEqual(self.births(1000), 20000 + 1)
        self.assertEqual(self.births(3000), 100)
        self.assertEqual(self.births(1001, 1003, 1004, 2001, 2003), 5)

    def test_orders_are_unique(self):
        orders = [event[0] for event in self.raw]
        self.assertEqual(orders, list(range(1, len(orders) + 1)))

    def test_a_child_of_fork_is_not(self):
        self.assertEqual(self.births(4001), 0)

    def test_who_frees(self):
        """Thread 0 made 1001, the other one frees it."""
        born = next(e for e in self.raw if e[5] == 1001)
        freed = next(e for e in self.raw
                     if e[3] == form.RAW_FREE and e[4] == born[4])
        self.assertNotEqual(freed[1], born[1])
        self.assertEqual(self.head[0], 2)

    def test_the_rest(self):
        kinds = collections.Counter(event[0] for event in self.events)
        self.assertEqual((kinds[form.RESIZE], kinds[form.END]), (2, 1))
        self.assertIn((form.ALIGNED, 8, 1003), self.events)
        self.assertIn((form.ZERO, 1000, None), self.events)


class Replay(unittest.TestCase):
    def replay(self, data):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x")
            with open(path, "wb") as f:
                f.write(data)
            return subprocess.run(
                [os.path.join(PROGRAMS, "watch"), path + ".series", "-",
                 os.path.join(PROGRAMS, "replay"), "x", path], text=True,
                capture_output=True, check=False, timeout=60), \
                self.marks(path + ".series")

    @staticmethod
    def marks(path):
        with open(path, encoding="utf-8") as f:
            return [line.split()[1:5] for line in f
                    if line.startswith("mark")]

    def test_what_is_left_lives(self):
        done, marks = self.replay(form.convert(raw(
            (0, form.RAW_ALLOC, 16, 1000), (1, form.RAW_ALLOC, 32, 200),
            (1, form.RAW_FREE, 16, 0), (0, form.RAW_RESIZE, 32, 5000),
            (0, form.RAW_RESIZED, 48, 5000), (1, form.RAW_END, 0, 0),
            (2, form.RAW_ZERO, 64, 70), (0, form.RAW_ALIGNED, 80, 6, 7))))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("x threads 3 operations ", done.stdout)
        self.assertEqual([(mark[0], mark[2]) for mark in marks],
                         [("work", "5076"), ("idle", "5076")])
        self.assertGreaterEqual(int(marks[0][1]), 5)

    def test_its_own_tables_are_not_counted(self):
        """Half a million blocks of a byte are 16 MiB, and 8 of tables."""
        nr = 500000
        head = form.Writer()
        for value in (1, nr, nr, 0, nr):
            head.number(value)
        done, marks = self.replay(form.MAGIC + bytes(head.stream) +
                                  bytes([1 << 3 | form.ALLOC]) * nr)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(15 << 20 < int(marks[0][3]) < 20 << 20, marks)

    def test_damaged_traces(self):
        good = form.convert(raw((0, form.RAW_ALLOC, 16, 1000),
                                (0, form.RAW_FREE, 16, 0)))
        for data, why in ((b"hello", "is no trace"),
                          (good + b"\x80", "cut off"),
                          (good + bytes([1 << 3 | form.FREE]), "is freed"),
                          (good + bytes([9 << 3 | form.FREE]), "no block"),
                          (good + bytes([9 << 3 | form.THREAD]),
                           "no thread"),
                          (good + bytes([9 << 3]), "more blocks")):
            done, _ = self.replay(data)
            self.assertEqual(done.returncode, 1)
            self.assertIn(why, done.stderr)


if __name__ == "__main__":
    unittest.main()
