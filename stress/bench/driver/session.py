"""The rounds: their order, the progress, the time that they may take.

Within a round all allocators take their turn at one cell before the next
cell, so that a busy minute hits all of them; who begins changes with the
round and the cell. A round is begun only when the time allows it; the first
is always finished.
"""

import statistics
import sys
import time


def key(record):
    return record["load"], record["threads"], record["allocator"]


def order(allocators, number):
    at = number % len(allocators)
    return allocators[at:] + allocators[:at]


class Session:
    def __init__(self, cells, allocators, runner, store, out=sys.stderr):
        self.cells = cells
        self.allocators = allocators
        self.runner = runner
        self.store = store
        self.out = out
        self.took = {}      # key: seconds of its last run
        self.kinds = {}     # is it a program: seconds of all runs so far
        self.lost = set()   # keys that ran into their time limit
        self.told = 0.0
        for record in store.runs:
            self.learn(record)

    def learn(self, record):
        self.took[key(record)] = record["took"]
        slow = record["kind"] == "program"
        self.kinds.setdefault(slow, []).append(record["took"])
        if record["status"] == "timeout":
            self.lost.add(key(record))

    def jobs(self, turn):
        return [(cell, allocator) for number, cell in enumerate(self.cells)
                for allocator in order(self.allocators, turn + number)]

    def pending(self, turn):
        """What the round still lacks. A run that did not end is not tried
        again: its cell has failed, and it would take the others' time."""
        done = {key(record) for record in self.store.runs
                if record["round"] == turn}
        return [(cell, allocator) for cell, allocator in self.jobs(turn)
                if (cell.load, cell.threads, allocator.name)
                not in done | self.lost]

    def estimate(self, jobs):
        return sum(self.guess(cell, allocator) for cell, allocator in jobs)

    def guess(self, cell, allocator):
        last = self.took.get((cell.load, cell.threads, allocator.name))
        if last is not None:
            return last
        known = self.kinds.get(cell.kind == "program")
        default = 10.0 if cell.kind == "program" else 0.5
        return statistics.fmean(known) if known else default

    def spent(self):
        return sum(record["took"] for record in self.store.runs)

    def run(self, rounds, seconds):
        """Returns how many rounds are complete."""
        for turn in range(rounds):
            jobs = self.pending(turn)
            late = self.spent() + self.estimate(jobs) > seconds
            if jobs and turn and late:
                return turn
            self.round(turn, jobs, rounds, seconds)
        return rounds

    def round(self, turn, jobs, rounds, seconds):
        for number, (cell, allocator) in enumerate(jobs):
            self.progress(turn, jobs[number:], rounds, seconds)
            self.keep(self.runner.run(cell, allocator, turn))

    def keep(self, record):
        self.store.add(record)
        self.learn(record)
        if record["status"] != "ok":
            self.say("%s, %d threads, under %s: %s" % (
                record["load"], record["threads"], record["allocator"],
                record["why"]))

    def remaining(self, turn, rest, rounds, seconds):
        """This round's rest, and the further rounds that will fit."""
        left = self.estimate(rest)
        whole = self.estimate(self.jobs(turn))
        for _ in range(turn + 1, rounds):
            if self.spent() + left + whole > seconds:
                break
            left += whole
        return left

    def progress(self, turn, rest, rounds, seconds):
        terminal = self.out.isatty()
        if time.monotonic() - self.told < (0.2 if terminal else 15.0):
            return
        self.told = time.monotonic()
        cell, allocator = rest[0]
        minutes = self.remaining(turn, rest, rounds, seconds) / 60
        line = "bench: round %d of %d, %d runs left in it, about %.0f min " \
            "in all: %s %d %s" % (turn + 1, rounds, len(rest), minutes + 0.5,
                                  cell.load, cell.threads, allocator.name)
        self.out.write("\r%-79.79s" % line if terminal else line + "\n")
        self.out.flush()

    def say(self, text):
        start = "\r%-79s\r" % "" if self.out.isatty() else ""
        self.out.write("%sbench: %s\n" % (start, text))
        self.out.flush()
