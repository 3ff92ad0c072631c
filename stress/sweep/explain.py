#!/usr/bin/env python3
"""explain: why some of the library's instructions are never reached

Usage: explain.py LIBRARY [REASONS]

Standard input: a line for each instruction, "OFFSET TIMES PADDING". What was
not reached begins where a branch of code that was reached is not taken, or at
a function that nobody calls. Each such beginning needs a reason; all that only
lies behind explained ones is explained, through calls, too. A branch whose
every way ends the process has its reason by itself.

A reason belongs to a function, inlined or not, and to an operation: a function
that is called or inlined in the block that decides, or behind the branch. So
it outlives moved lines and other names of variables, and the new name of a
function is one line of reasons.txt, which says how they are written.

Exit status: 0, all is explained; 1, some is not, or a reason is wrong.
"""
import os
import sys
from collections import defaultdict

from machine import Machine

HERE = os.path.dirname(os.path.abspath(__file__))


class Reason:
    """One line of reasons.txt."""

    def __init__(self, number, words, kind, why):
        self.number, self.kind, self.why = number, kind, why
        self.places_most = 1
        if words[-1].isdigit():
            self.places_most = int(words.pop())
        self.function = words[0]
        self.operation = words[1] if len(words) > 1 else None
        self.places = set()
        self.text = " ".join(words[:2])

    def applies(self, edge):
        return self.function in edge.functions | {"*"} and \
            (self.operation is None or self.operation in edge.operations)

    def distance(self, edge):
        """The nearest is meant: of the branch itself, of what is around."""
        near = edge.functions - {self.function}
        return (self.operation not in near, self.operation is None,
                self.function == "*")


def read_reasons(path):
    out, kind, why = [], None, None
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if not line[0].isspace():
                kind, why = line.strip().split(": ", 1)
                continue
            out.append(Reason(number, words, kind, why))
    return out


class Edge:
    """A beginning of what is not reached: the way, or the root."""

    def __init__(self, machine, unreached, at, to):
        code = machine.code
        self.at, self.to = at, to
        self.where = code[to if at is None else at]
        self.functions = {f for f, _ in code[to].frames + self.where.frames}
        self.operations = set()
        self.behind = spread(machine, unreached, to)
        self.reason = None
        if at is not None:
            self.name_block(machine)
        self.name_behind(machine, unreached)

    def name(self, one):
        self.operations |= {f for f, _ in one.frames}
        if one.is_call() and one.target_name:
            self.operations.add(one.target_name.split("@")[0].split(".")[0])

    def name_block(self, machine):
        at = self.at
        while at is not None:
            self.name(machine.code[at])
            before = machine.before.get(at, ())
            if len(before) != 1 or machine.code[before[0]].is_jump():
                return
            if machine.code[before[0]].is_call():
                self.name(machine.code[before[0]])
                return
            if machine.code[before[0]].is_branch():
                return
            at = before[0]

    def name_behind(self, machine, unreached):
        work, seen = [self.to], {self.to}
        while work:
            at = work.pop()
            self.name(machine.code[at])
            for to in machine.ways[at]:
                if to in unreached and to not in seen:
                    seen.add(to)
                    work.append(to)

    def place(self, function):
        """Where in that function it is."""
        for name, place in self.where.frames:
            if function in (name, "*"):
                return place
        return "%#x" % self.to

    def ends(self, machine, enders):
        """Nothing behind it returns, and it comes to one of these."""
        return self.to not in machine.returns and any(
            enders & {f for f, _ in machine.code[at].frames}
            for at in self.behind)


def spread(machine, unreached, to):
    """All unreached that lies behind, through calls, too."""
    seen, work = {to}, [to]
    while work:
        at = work.pop()
        for way in machine.ways[at] + machine.calls.get(at, []):
            if way in unreached and way not in seen:
                seen.add(way)
                work.append(way)
    return seen


def find_edges(machine, unreached):
    out = []
    for at in sorted(machine.code):
        for to in machine.ways[at] + machine.calls.get(at, []):
            if to not in unreached:
                continue
            if at not in unreached:
                out.append(Edge(machine, unreached, at, to))
    for at in sorted((machine.roots() & unreached) - machine.padding):
        out.append(Edge(machine, unreached, None, at))
    return [edge for edge in out if edge.behind - machine.padding]


def explain(edges, reasons, machine, enders):
    ends = Reason(0, ["ends"], "never", "ends the process")
    dead = Reason(0, ["dead"], "never", "no call leads there")
    nobody = machine.dead()
    for edge in edges:
        if edge.ends(machine, enders):
            edge.reason = ends
            continue
        if edge.at is None and edge.to in nobody:
            edge.reason = dead
            continue
        fit = [r for r in reasons if r.applies(edge)]
        fit.sort(key=lambda r: r.distance(edge))
        if fit:
            edge.reason = fit[0]
            fit[0].places.add(edge.place(fit[0].function))


def check_reasons(reasons, machine):
    """Lines about reasons that are wrong."""
    called = defaultdict(set)
    for one in machine.code.values():
        names = {f for f, _ in one.frames}
        if one.target_name:
            called[None] |= {one.target_name.split("@")[0].split(".")[0]}
        for name in names:
            called[name] |= names
    out = []
    for r in reasons:
        line = "reasons.txt:%d: %s: " % (r.number, r.text)
        if r.function not in called and r.function != "*":
            out.append(line + "there is no such function")
        elif r.operation and r.operation not in called and \
                r.operation not in called[None]:
            out.append(line + "there is no such operation")
        elif not r.places and r.kind == "never":
            out.append(line + "nothing of that is unreached")
        elif len(r.places) > r.places_most:
            out.append(line + "explains %d places, not %d: %s" % (
                len(r.places), r.places_most,
                " ".join(os.path.basename(p) for p in sorted(r.places))))
    return out


def say_edge(edge, behind, machine):
    one = edge.where
    first = machine.first_of(one.at)
    places = " < ".join("%s %s" % (f, os.path.basename(p))
                        for f, p in one.frames[:4])
    to = " < ".join("%s %s" % (f, os.path.basename(p))
                    for f, p in machine.code[edge.to].frames[:3])
    print("  UNEXPLAINED: %4d behind %#x %s+%#x: %s -> %s%s (%s)" % (
        behind, one.at, one.symbol, one.at - first, places, to,
        "" if edge.at is not None else " [entry]",
        " ".join(sorted(edge.operations - edge.functions))[:300]))


def say_reached(edges, unexplained):
    """What each reason explains, by where it begins."""
    of = defaultdict(set)
    for edge in edges:
        if edge.reason:
            of[edge.reason] |= edge.behind - unexplained
    seen = set()
    for reason in sorted(of, key=lambda r: r.number):
        fresh = of[reason] - seen
        seen |= fresh
        print("  never reached: %4d behind %s: %s" % (
            len(fresh), reason.text, reason.why))


def main():
    library = sys.argv[1]
    path = sys.argv[2] if len(sys.argv) > 2 else \
        os.path.join(HERE, "reasons.txt")
    rows = [line.split() for line in sys.stdin]
    machine = Machine(library, {int(r[0], 16) for r in rows})
    machine.padding = {int(r[0], 16) for r in rows if r[2] != "0"}
    unreached = {int(r[0], 16) for r in rows if r[1] == "0"}
    machine.before = defaultdict(list)
    for at, ways in machine.ways.items():
        for to in ways:
            machine.before[to].append(at)
    reasons = read_reasons(path)
    enders = {r.function for r in reasons if r.kind == "ends"}
    reasons = [r for r in reasons if r.kind != "ends"]
    edges = find_edges(machine, unreached)
    explain(edges, reasons, machine, enders)
    unexplained = set()
    for edge in edges:
        if not edge.reason:
            unexplained |= edge.behind
    say_reached(edges, unexplained)
    for edge in edges:
        if not edge.reason:
            say_edge(edge, len(edge.behind - machine.padding), machine)
    wrong = check_reasons(reasons, machine)
    for line in wrong:
        print("  WRONG:", line)
    real = unreached - machine.padding
    print("%d of %d instructions were reached by no survey: %d no-ops that "
          "only fill, %d for a reason, %d UNEXPLAINED" % (
              len(unreached), len(rows), len(unreached & machine.padding),
              len(real - unexplained), len(real & unexplained)))
    sys.exit(1 if real & unexplained or wrong else 0)


if __name__ == "__main__":
    main()
