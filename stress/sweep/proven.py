#!/usr/bin/env python3
"""proven: which instructions a sweep need not stop at again

The ledger, proven.txt, has a line for each function that was swept:

	NAME KEY MODES@LIBRARY:TRIED[~VAIN] ...

KEY is what the function consists of (keys.py). MODES are the modes of the
sweep, each with which thread that comes by: a1b1. TRIED are the numbers of the
instructions at which a thread was stopped without harm to the others or to
the heap, or at which all tries were in vain, as nobody came by: these are
VAIN. LIBRARY is the library around the function then: where it is another one
now, the proof is about the function alone. A function with one bad stop in a
mode has no proof in that mode.

	skip	what need not be tried; of what was tried in another library
		one in AGAIN is tried nevertheless
	add	standard input: "OFFSET OUTCOME" of each stop
	say	how much is proven of the library; standard input: of what the
		sweep reached, if that is known, "OFFSET TIMES PADDING"
	report	adds what a sweep without a ledger found: its report, and its
		state at different times
	renamed	what OLD's ledger says of functions that are the same but for
		names
"""
import argparse
import os
import re
import struct
import sys
from collections import defaultdict

sys.dont_write_bytecode = True
from keys import Library  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
AGAIN = 32
STOPPED, VAIN, UNKNOWN = "stopped", "not reached", "tried"
GROUP = re.compile(r"((?:[a-f]\d+)+)@([0-9a-f]+):([0-9,-]*)(?:~([0-9,-]+))?")
HEAD = """\
# What the sweep has proven, a line for each function, written by proven.py:
#	NAME KEY MODES@LIBRARY:TRIED[~VAIN] ...
"""


def ranges(numbers):
    """"0-3,7" of {0, 1, 2, 3, 7}."""
    out = []
    for n in sorted(numbers):
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return ",".join("%d" % a if a == b else "%d-%d" % (a, b) for a, b in out)


def numbers(text):
    out = set()
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if first:
            out |= set(range(int(first), int(last or first) + 1))
    return out


class Proof:
    """Of one function in one mode."""

    def __init__(self, library, tried=(), vain=()):
        self.library, self.tried, self.vain = library, set(tried), set(vain)

    def text(self):
        out = "@%s:%s" % (self.library, ranges(self.tried))
        return out + ("~" + ranges(self.vain) if self.vain else "")


class Ledger:
    def __init__(self, path):
        self.path = path
        self.proofs = defaultdict(dict)  # (name, key) -> mode -> Proof
        if not os.path.exists(path):
            return
        with open(path, encoding="utf-8") as f:
            for line in f:
                words = line.split("#")[0].split()
                if words:
                    self.read(tuple(words[:2]), words[2:])

    def read(self, function, groups):
        for group in groups:
            modes, library, tried, vain = GROUP.fullmatch(group).groups()
            for mode in re.findall(r"[a-f]\d+", modes):
                self.proofs[function][mode] = Proof(
                    library, numbers(tried), numbers(vain))

    def line(self, function):
        groups = defaultdict(str)
        for mode, proof in sorted(self.proofs[function].items(),
                                  key=lambda m: (m[0][1:], m[0][0])):
            groups[proof.text()] += mode
        return " ".join(function + tuple(m + t for t, m in groups.items()))

    def write(self, functions):
        """Of the functions that there are."""
        text = HEAD + "".join(
            self.line(f) + "\n" for f in sorted(functions) if self.proofs[f])
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.replace(self.path + ".new", self.path)

    def tried(self, library, mode):
        """(offset, whether in this very library), in the order of offsets."""
        here, out = library.identity(), []
        for function, offsets in library.functions.items():
            proof = self.proofs[function].get(mode)
            if proof:
                out += [(offsets[n], proof.library == here)
                        for n in proof.tried if n < len(offsets)]
        return sorted(out)

    def add(self, library, mode, rows):
        of = defaultdict(dict)
        for offset, outcome in rows:
            if offset in library.index:
                function, number = library.index[offset]
                of[function][number] = outcome
        for function, outcomes in of.items():
            self.add_to(function, library.identity(), mode, outcomes)

    def add_to(self, function, library, mode, outcomes):
        """What is wholly new counts as proven in this library."""
        if set(outcomes.values()) - {STOPPED, VAIN, UNKNOWN}:
            self.proofs[function].pop(mode, None)
            return
        proof = self.proofs[function].get(mode)
        if not proof or proof.tried <= set(outcomes):
            proof = self.proofs[function][mode] = Proof(library)
        proof.tried |= set(outcomes)
        proof.vain -= {n for n, o in outcomes.items() if o == STOPPED}
        proof.vain |= {n for n, o in outcomes.items() if o == VAIN}


def skip(ledger, library, options):
    turn = int(library.identity(), 16) % AGAIN
    others = 0
    for offset, is_here in ledger.tried(library, options.mode):
        others += not is_here
        if is_here or others % AGAIN != turn:
            print("%#x" % offset)


def read_rows(lines):
    for line in lines:
        offset, outcome = line.strip().split(" ", 1)
        yield int(offset, 16), outcome


def add(ledger, library, options):
    ledger.add(library, options.mode, read_rows(sys.stdin))
    ledger.write(library.functions)


def say(ledger, library, options):
    rows = [line.split() for line in sys.stdin]
    asked = {int(row[0], 16) for row in rows if row[1] != "0"} or \
        set(library.index)
    modes = {m for f in library.functions for m in ledger.proofs[f]}
    print("%d of %d functions are as they were swept" % (
        sum(bool(ledger.proofs[f]) for f in library.functions),
        len(library.functions)))
    for mode in sorted(modes, key=lambda m: (m[1:], m[0])):
        tried = [(at, here) for at, here in ledger.tried(library, mode)
                 if at in asked]
        print("proven, mode %s, thread %s: %d of %d instructions, %d of them "
              "in this very library" % (
                  mode[0], mode[1:], len(tried), len(asked),
                  sum(here for _, here in tried)))
    return options


# ---- of a sweep that knew no ledger ----

MODE = re.compile(r"mode (.)(?:, thread (\d+))?: stopped at .*? (\d+) blocked,"
                  r" (\d+) crashed, (\d+) unsound")
MOST = re.compile(r"  most (objects|address space) stranded: (\d+) bytes, at "
                  r"0x[0-9a-f]+ ([\w.]+)\+")
# What may be stranded, as sweep.mk has it.
BOUNDS = {"objects": 0x190000, "address space": 0x8200000}
FAILURE = re.compile(r"  (?:blocked|crashed|unsound) at 0x[0-9a-f]+ "
                     r"([\w.]+)\+")


class State:
    """struct shared, as the sweep has it in its file."""

    OUTCOMES = {1: STOPPED, 2: VAIN, 3: "blocked", 4: "crashed", 5: "unsound"}

    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        mode, hit = struct.unpack_from("<iI", data, 0)
        nr, names_size = struct.unpack_from("<II", data, 80)
        results = len(data) - 64 - names_size - nr * (12 + 12 + 30)
        reached = results + 12 * nr
        text = (reached + 30 * nr + 15) & ~15
        self.mode = "%c%d" % (mode, hit) if mode else None
        self.rows, self.reached = [], []
        for i in range(nr):
            (offset,) = struct.unpack_from("<I", data, text + 12 * i)
            if any(data[reached + i:reached + 30 * nr:nr]):
                self.reached.append(offset)
            outcome, live, claimed = struct.unpack_from("<B3xII", data,
                                                        results + 12 * i)
            if live > BOUNDS["objects"] or \
                    claimed > BOUNDS["address space"] or \
                    (live and chr(mode) in "def"):
                self.rows.append((offset, "stranded"))
            elif outcome in self.OUTCOMES:
                self.rows.append((offset, self.OUTCOMES[outcome]))


def finished(path):
    """{mode: (names of the functions with bad stops, bad stops untold)}"""
    out, mode = {}, None
    with open(path, encoding="utf-8") as f:
        for line in f:
            found = MODE.match(line)
            if found:
                mode = found.group(1) + (found.group(2) or "1")
                out[mode] = [set(), sum(map(int, found.groups()[2:]))]
            if not mode:
                continue
            found = FAILURE.match(line)
            if found:
                out[mode][0].add(found.group(1))
                out[mode][1] -= 1
            found = MOST.match(line)
            if found and int(found.group(2)) > BOUNDS[found.group(1)]:
                out[mode][0].add(found.group(3))
            if found and mode[0] in "def" and found.group(1) == "objects":
                out[mode][1] += 1  # and who knows where else
    return out


def report(ledger, library, options):
    states = [State(path) for path in options.states]
    for mode, (bad, untold) in finished(options.report).items():
        if untold:
            continue
        rows = {at: UNKNOWN for state in states for at in state.reached}
        rows.update((at, "bad") for at, (f, _) in library.index.items()
                    if f[0].split(".")[0] in {b.split(".")[0] for b in bad})
        ledger.add(library, mode, rows.items())
    for state in states:
        if state.mode:
            ledger.add(library, state.mode, state.rows)
    ledger.write(library.functions)


def renamed(ledger, library, options):
    """Functions that are equal but for names keep what they have."""
    old, names = Library(options.old), dict(n.split("=") for n in options.names)
    gone, new = old.names() - library.names(), library.names() - old.names()
    for was, now in names.items():
        if was not in gone or now not in new:
            sys.exit("proven.py: %s=%s is no change of a name" % (was, now))
    same, found = Library(options.old, names), {}
    for function, offsets in old.functions.items():
        new = same.index[offsets[0]][0]
        if new in library.functions and not ledger.proofs.get(new):
            found[new] = ledger.proofs.get(function, {})
    ledger.proofs.update(found)
    ledger.write(library.functions)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["skip", "add", "say", "report",
                                         "renamed"])
    parser.add_argument("library")
    parser.add_argument("ledger")
    parser.add_argument("--mode", help="such as a1: mode, which thread")
    parser.add_argument("--report", help="of a sweep")
    parser.add_argument("--states", nargs="*", default=[], help="its files")
    parser.add_argument("--old", help="the library before its names changed")
    parser.add_argument("--names", nargs="*", default=[],
                        metavar="OLD=NEW", help="functions and variables")
    options = parser.parse_args()
    globals()[options.what](Ledger(options.ledger), Library(options.library),
                            options)


if __name__ == "__main__":
    main()
