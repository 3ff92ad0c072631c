"""Reasons for what is not reached, by a library of a few functions."""

import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from machine import Machine  # noqa: E402

SOURCE = r"""
#define hidden __attribute__((visibility("hidden"), noinline))
extern void outside(int);

hidden _Noreturn void fault(int n)
{
	for (;;)
		outside(n);
}

hidden int seldom(int n)
{
	if (n > 1000)
		fault(n);
	outside(n);
	return n + 1;
}

hidden int behind_seldom(int n)
{
	return seldom(n) + seldom(n + 1);
}

hidden int nobody(int n)
{
	outside(n);
	return 7;
}

static inline __attribute__((always_inline)) int look(int n)
{
	return __builtin_expect(n > 100, 0) ? behind_seldom(n) : n;
}

int entry(int n)
{
	if (n < 0)
		fault(n);
	n = look(n);
	if (__builtin_expect(n == 50, 0))
		outside(5);
	outside(n);
	return n;
}
"""
ENDS = "ends: ends the process\n\tfault\n"
ALL = ENDS + "never: large\n\tlook\nseldom: fifty\n\tentry outside\n"


class Explain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.library = os.path.join(cls.folder.name, "small.so")
        source = os.path.join(cls.folder.name, "small.c")
        with open(source, "w", encoding="utf-8") as f:
            f.write(SOURCE)
        subprocess.run(["cc", "-O2", "-g", "-fPIC", "-shared", "-o",
                        cls.library, source], check=True)
        cls.machine = Machine(cls.library, cls.offsets())

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def offsets(cls):
        names = ("fault", "seldom", "behind_seldom", "nobody", "entry")
        out, within = set(), False
        text = subprocess.run(["objdump", "-dw", "--no-show-raw-insn",
                               cls.library], check=True,
                              stdout=subprocess.PIPE,
                              universal_newlines=True).stdout
        for line in text.splitlines():
            if line.endswith(">:"):
                within = line.split("<")[1][:-2].split(".")[0] in names
            elif within and ":\t" in line and "nop" not in line and \
                    "xchg" not in line:
                out.add(int(line.split(":")[0], 16))
        return out

    def usual_way(self):
        """What entry(1) passes."""
        machine, seen = self.machine, set()
        at = machine.first_of(next(
            k for k, one in machine.code.items() if one.symbol == "entry"))
        while at is not None and at not in seen:
            seen.add(at)
            one = machine.code[at]
            at = one.target if one.is_jump() else one.next
            if one.is_jump() and one.target not in machine.code:
                break
        return seen

    def explain(self, reasons, reached=None, option=None):
        path = os.path.join(self.folder.name, "reasons.txt")
        with open(path, "w", encoding="utf-8") as f:
            f.write(reasons)
        if reached is None:
            reached = self.usual_way()
        rows = "".join("%#x %d 0\n" % (at, at in reached)
                       for at in self.machine.code)
        command = [sys.executable, os.path.join(HERE, "explain.py"),
                   self.library, path] + ([option] if option else [])
        return subprocess.run(command, input=rows, stdout=subprocess.PIPE,
                              universal_newlines=True, check=False)

    def test_all_is_explained(self):
        """Also what only unreached code calls, ends, or is called by none."""
        done = self.explain(ALL)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("0 UNEXPLAINED", done.stdout)
        self.assertIn("behind dead: no call leads there", done.stdout)
        self.assertIn("behind ends: ends the process", done.stdout)

    def test_a_branch_without_a_reason(self):
        done = self.explain(ALL.replace("\tlook\n", ""))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"UNEXPLAINED: .* look ")

    def test_an_end_without_a_name(self):
        done = self.explain(ALL.replace("\tfault\n", ""))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"UNEXPLAINED: .*\(fault\)")

    def test_a_function_that_is_not_there(self):
        done = self.explain(ALL + "\tgone outside\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("gone outside: there is no such function", done.stdout)

    def test_an_operation_that_is_not_there(self):
        done = self.explain(ALL + "\tentry gone\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("entry gone: there is no such operation", done.stdout)

    def test_names_alone(self):
        """Nothing is said of what was reached."""
        done = self.explain(ALL, option="--names")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        done = self.explain(ALL + "\tentry gone\n", option="--names")
        self.assertEqual(done.returncode, 1)

    def test_what_never_is_but_was_reached(self):
        done = self.explain(ALL, set(self.machine.code))
        self.assertEqual(done.returncode, 1)
        self.assertIn("look: nothing of that is unreached", done.stdout)
        self.assertNotIn("entry outside: nothing", done.stdout)

    def test_more_places_than_it_says(self):
        done = self.explain(ENDS + "never: all\n\tentry\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("entry: explains 2 places, not 1", done.stdout)
        done = self.explain(ENDS + "never: all\n\tentry 2\n")
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
