"""What keeps a proof and what voids it, by a library of a few functions."""

import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from keys import COMMENT, Library  # noqa: E402
from proven import ranges, numbers  # noqa: E402

FIRST = r"""
#define hidden __attribute__((visibility("hidden"), noinline))
extern int outside(int, const char *);
static int kept;
static const int table[4] = { 3, 5, 7, 9 };
static const char *const words[2] = { "one", "two" };
hidden int other(int n);
"""
OTHER = r"""
hidden int other(int n)
{
	return outside(n, words[n & 1]) * 3;
}
"""
MAIN = r"""
int entry(int n)
{
	kept += other(n) + table[n & 3];
	return outside(kept, "text") + 1;
}

int choose(int n)
{
	switch (n) {
	case 0: return outside(7, "a");
	case 1: return outside(n + 100, "b");
	case 2: return outside(3, "c") * 2;
	case 3: return outside(1, "d") + 5;
	case 4: return outside(0, "e") - 1;
	case 5: return outside(9, "f") / 3;
	}
	return n;
}
"""
PLAIN = FIRST + OTHER + MAIN
MOVED = FIRST.replace("static int kept", "static int before[900]; static int kept") + \
    "const char *more(int n)\n{\n\treturn n ? \"long, long\" : words[0];\n}\n" + \
    "int more_2(int n)\n{\n\treturn outside(n, \"more\") + ++before[n];\n}\n" + \
    MAIN + OTHER


class Proven(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.made = {}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def build(self, text):
        if text not in self.made:
            path = self.path("l%d" % len(self.made))
            with open(path + ".c", "w", encoding="utf-8") as f:
                f.write(text)
            subprocess.run(["cc", "-O2", "-fPIC", "-shared", "-o",
                            path + ".so", path + ".c"], check=True)
            self.made[text] = path + ".so"
        return self.made[text]

    def keys(self, text):
        return dict(Library(self.build(text)).functions)

    def changed(self, old, new):
        """The functions whose keys that changes."""
        self.assertIn(old, PLAIN)
        before, after = self.keys(PLAIN), self.keys(PLAIN.replace(old, new))
        return {name for name, _ in set(before) ^ set(after)}

    def run_script(self, what, library, *options, rows=""):
        return subprocess.run(
            [sys.executable, os.path.join(HERE, "proven.py"), what, library,
             self.path("ledger"), *options], input=rows, check=True,
            stdout=subprocess.PIPE, universal_newlines=True).stdout

    def offsets(self, text, function):
        return next(offsets for (name, _), offsets in
                    Library(self.build(text)).functions.items()
                    if name == function)

    def add(self, text, function, outcomes, mode="a1"):
        offsets = self.offsets(text, function)
        self.run_script("add", self.build(text), "--mode", mode, rows="".join(
            "%#x %s\n" % (offsets[n], outcome)
            for n, outcome in outcomes.items()))

    def skipped(self, text, function, mode="a1"):
        offsets = self.offsets(text, function)
        skipped = {int(line, 16) for line in self.run_script(
            "skip", self.build(text), "--mode", mode).split()}
        return {n for n, at in enumerate(offsets) if at in skipped}

    def setUp(self):
        if os.path.exists(self.path("ledger")):
            os.unlink(self.path("ledger"))

    # ---- keys ----

    def test_one_other_instruction(self):
        self.assertEqual(self.changed("* 3;", "* 5;"), {"other"})

    def test_what_a_switch_leads_to(self):
        self.assertEqual(self.changed("case 3: return outside(1, \"d\") + 5",
                                      "case 3: return outside(1, \"d\") + 6"),
                         {"choose"})

    def test_the_order_of_a_switch(self):
        """The same instructions behind another table."""
        library = Library(self.build(PLAIN))
        start = self.offsets(PLAIN, "choose")[0]
        table = next(int(COMMENT.search(text).group(1), 16)
                     for _, text in library.lines[start]
                     if text.startswith("lea") and COMMENT.search(text) and
                     "switch" in library.symbolic(start, start, text))
        head = library.data.sections[".rodata"]
        at, data = head[4] + table - head[3], bytearray(library.data.data)
        data[at:at + 8] = data[at + 4:at + 8] + data[at:at + 4]
        with open(self.path("other.so"), "wb") as f:
            f.write(data)
        before, after = library.functions, \
            Library(self.path("other.so")).functions
        self.assertEqual({name for name, _ in set(before) ^ set(after)},
                         {"choose"})

    def test_constants(self):
        self.assertEqual(self.changed("3, 5, 7, 9", "3, 5, 7, 8"), {"entry"})
        self.assertEqual(self.changed('"text"', '"next"'), {"entry"})
        self.assertEqual(self.changed('"two"', '"six"'), {"other"})

    def test_what_is_called(self):
        text = PLAIN.replace("other", "another")
        before, after = set(self.keys(PLAIN)), set(self.keys(text))
        self.assertEqual({name for name, _ in before - after},
                         {"entry", "other"})

    def test_all_moved(self):
        """Other neighbours, other data, other offsets; no other key."""
        before, after = self.keys(PLAIN), self.keys(MOVED)
        for name in ("entry", "other", "choose"):
            self.assertNotEqual(self.offsets(PLAIN, name),
                                self.offsets(MOVED, name))
        self.assertEqual(
            {f for f in before if f[0] in ("entry", "other", "choose")},
            {f for f in after if f[0] in ("entry", "other", "choose")})

    # ---- the ledger ----

    def test_ranges(self):
        self.assertEqual(ranges({0, 1, 2, 5, 9, 10}), "0-2,5,9-10")
        self.assertEqual(numbers("0-2,5,9-10"), {0, 1, 2, 5, 9, 10})
        self.assertEqual((ranges([]), numbers("")), ("", set()))

    def test_what_was_stopped_at(self):
        self.add(PLAIN, "other", {0: "stopped", 1: "stopped",
                                  3: "not reached"})
        self.assertEqual(self.skipped(PLAIN, "other"), {0, 1, 3})
        self.assertEqual(self.skipped(PLAIN, "other", "b1"), set())
        self.assertEqual(self.skipped(PLAIN, "other", "a7"), set())
        self.assertEqual(self.skipped(PLAIN, "entry"), set())

    def test_one_bad_stop(self):
        self.add(PLAIN, "other", {0: "stopped", 1: "stopped"})
        self.add(PLAIN, "other", {0: "stopped"}, "b1")
        for outcome in ("blocked", "crashed", "unsound", "stranded"):
            self.add(PLAIN, "other", {2: "stopped", 3: outcome})
            self.assertEqual(self.skipped(PLAIN, "other"), set())
        self.assertEqual(self.skipped(PLAIN, "other", "b1"), {0})

    def test_another_instruction_voids_it(self):
        self.add(PLAIN, "other", {0: "stopped", 1: "stopped"})
        text = PLAIN.replace("* 3;", "* 5;")
        self.assertEqual(self.skipped(text, "other"), set())

    def test_a_move_does_not(self):
        """But for one in so many, which is tried again."""
        n = len(self.offsets(PLAIN, "choose"))
        self.add(PLAIN, "choose", {i: "stopped" for i in range(n)})
        self.assertEqual(self.skipped(PLAIN, "choose"), set(range(n)))
        left = set(range(n)) - self.skipped(MOVED, "choose")
        self.assertIn(len(left), (n // 32, n // 32 + 1))
        self.assertIn("1 of ", self.run_script("say", self.build(MOVED)))

    def test_how_much(self):
        self.add(PLAIN, "other", {0: "stopped", 1: "stopped"})
        rows = "%#x 3 0\n%#x 0 0\n%#x 1 0\n" % tuple(
            self.offsets(PLAIN, "other")[:3])
        said = self.run_script("say", self.build(PLAIN), rows=rows)
        self.assertIn("mode a, thread 1: 1 of 2 instructions, 1 of them",
                      said)

    def test_other_names(self):
        self.add(PLAIN, "entry", {0: "stopped", 1: "stopped"})
        text = PLAIN.replace("other", "third")
        self.assertEqual(self.skipped(text, "entry"), set())
        self.run_script("renamed", self.build(text), "--old",
                        self.build(PLAIN))
        self.assertEqual(self.skipped(text, "entry"), set())
        self.add(PLAIN, "entry", {0: "stopped", 1: "stopped"})
        self.run_script("renamed", self.build(text), "--old",
                        self.build(PLAIN), "--names", "other=third")
        self.assertEqual(self.skipped(text, "entry"), {0, 1})


if __name__ == "__main__":
    unittest.main()
