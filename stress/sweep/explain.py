#!/usr/bin/env python3
"""explain: why some of the library's instructions are never reached

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
import argparse
import os
import sys
from collections import defaultdict

sys.dont_write_bytecode = True
from machine import Machine  # noqa: E402

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

    def line(self):
        return "reasons.txt:%d: %s: " % (self.number, self.text)

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


def check_names(reasons, machine):
    """Lines about reasons that name what is not there."""
    functions, callees = set(), set()
    for one in machine.code.values():
        functions |= {f for f, _ in one.frames}
        if one.target_name:
            callees.add(one.target_name.split("@")[0].split(".")[0])
    out = []
    for r in reasons:
        if r.function not in functions | {"*"}:
            out.append(r.line() + "there is no such function")
        elif r.operation and r.operation not in functions | callees:
            out.append(r.line() + "there is no such operation")
    return out


def check_places(reasons):
    """Lines about reasons that are not true, or say too little."""
    out = []
    for r in reasons:
        if not r.places and r.kind == "never":
            out.append(r.line() + "nothing of that is unreached")
        elif len(r.places) > r.places_most:
            out.append(r.line() + "explains %d places, not %d: %s" % (
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


def machine_read(library, rows):
    machine = Machine(library, {int(r[0], 16) for r in rows})
    machine.padding = {int(r[0], 16) for r in rows if r[2] != "0"}
    machine.before = defaultdict(list)
    for at, ways in machine.ways.items():
        for to in ways:
            machine.before[to].append(at)
    return machine


def say_all(edges, machine, unreached):
    """True: nothing is without a reason."""
    unexplained = set()
    for edge in edges:
        if not edge.reason:
            unexplained |= edge.behind
    say_reached(edges, unexplained)
    for edge in edges:
        if not edge.reason:
            say_edge(edge, len(edge.behind - machine.padding), machine)
    real = unreached - machine.padding
    print("%d of %d instructions were reached by no survey: %d no-ops that "
          "only fill, %d for a reason, %d UNEXPLAINED" % (
              len(unreached), len(machine.code),
              len(unreached & machine.padding), len(real - unexplained),
              len(real & unexplained)))
    return not real & unexplained


def say_wrong(lines):
    for line in lines:
        print("  WRONG:", line)
    return not lines


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--names", action="store_true", help="only whether "
                         "the library has what the reasons name")
    options.add_argument("library")
    options.add_argument("reasons", nargs="?",
                         default=os.path.join(HERE, "reasons.txt"))
    options = options.parse_args()
    reasons = read_reasons(options.reasons)
    if options.names:
        machine = Machine(options.library, None)
        sys.exit(not say_wrong(check_names(reasons, machine)))
    rows = [line.split() for line in sys.stdin]
    machine = machine_read(options.library, rows)
    unreached = {int(r[0], 16) for r in rows if r[1] == "0"}
    enders = {r.function for r in reasons if r.kind == "ends"}
    others = [r for r in reasons if r.kind != "ends"]
    edges = find_edges(machine, unreached)
    explain(edges, others, machine, enders)
    good = say_all(edges, machine, unreached)
    good &= say_wrong(check_names(reasons, machine) + check_places(others))
    sys.exit(not good)


if __name__ == "__main__":
    main()
