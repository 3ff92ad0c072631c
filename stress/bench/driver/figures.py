"""Medians, ranges and ratios out of the runs.

A ratio is always subject / peer: below 1 the subject is faster or smaller.
"""

import collections
import statistics

FIGURES = ("ns", "cpu", "rss")
NOISE = 0.05    # of two equal mallocs, how often one is called the slower one


class Sample:
    """All runs of one allocator in one cell."""

    def __init__(self):
        self.values = {}    # figure or key of the line: [number]
        self.faults = []    # why, of the runs that were not "ok"

    def add(self, record):
        if record["status"] != "ok":
            self.faults.append(record["why"])
            return
        values = dict(record["values"])
        values["ns"] = values["ns_per_operation"]
        values["cpu"] = record.get("cpu")
        values["rss"] = record.get("rss_kib")
        for name, number in values.items():
            if number is not None:
                self.values.setdefault(name, []).append(number)

    def sound(self):
        """A cell in which any run failed has no figures: a malloc that dies
        once in three runs is not the fastest."""
        return not self.faults and bool(self.values)

    def median(self, name):
        numbers = self.values.get(name) if self.sound() else None
        return statistics.median(numbers) if numbers else None

    def numbers(self, name):
        return self.values.get(name, []) if self.sound() else []

    def span(self, name):
        numbers = self.values.get(name) if self.sound() else None
        return (min(numbers), max(numbers)) if numbers else None


class Results:
    """cells: {(load, threads): {allocator: Sample}}, as they were planned."""

    def __init__(self, header, runs, subject):
        self.header = header
        self.subject = subject
        self.allocators = list(header["allocators"])
        self.peers = [name for name in self.allocators if name != subject]
        self.cells = {}
        self.kinds = {}
        for record in runs:
            self.kinds[record["load"]] = record["kind"]
            cell = self.cells.setdefault(
                (record["load"], record["threads"]), {})
            cell.setdefault(record["allocator"], Sample()).add(record)
        self.rounds = 1 + max((r["round"] for r in runs), default=-1)
        self.nr_runs = len(runs)

    def per_thread_peers(self):
        return [name for name in self.peers
                if self.header["allocators"][name]["per_thread"]]

    def select(self, kinds=None, threads=None):
        """Cells by the kind of their load and by their threads."""
        return [cell for cell in self.cells
                if (not kinds or self.kinds[cell[0]] in kinds) and
                (not threads or cell[1] in threads)]

    def timed(self, threads=None):
        """Cells whose time counts: all but those that only sleep."""
        return self.select(("load", "churn", "latency", "program"), threads)

    def sample(self, cell, name):
        return self.cells[cell].get(name, Sample())

    def median(self, cell, name, figure="ns"):
        return self.sample(cell, name).median(figure)

    def best(self, cell, figure="ns", peers=None):
        """(value, name) of the peer with the lowest median, or None."""
        found = [(self.median(cell, name, figure), name)
                 for name in (self.peers if peers is None else peers)]
        return min((pair for pair in found if pair[0] is not None),
                   default=None)

    def ratio(self, cell, peer, figure="ns"):
        own = self.median(cell, self.subject, figure)
        other = self.median(cell, peer, figure)
        return own / other if own is not None and other else None

    def to_best(self, cell, figure="ns", peers=None):
        """(ratio, name of the best peer), or None."""
        best = self.best(cell, figure, peers)
        if not best:
            return None
        ratio = self.ratio(cell, best[1], figure)
        return (ratio, best[1]) if ratio is not None else None

    def near(self, cell, peer, figure="ns"):
        """Within noise: the ranks of the rounds do not say that the subject
        is the higher one."""
        own = self.sample(cell, self.subject).numbers(figure)
        other = self.sample(cell, peer).numbers(figure)
        return bool(own and other) and chance_higher(own, other) >= NOISE

    def mean_ratio(self, cells, peer, figure="ns"):
        return geometric_mean(self.ratio(cell, peer, figure)
                              for cell in cells)

    def mean_to_best(self, cells, figure="ns", peers=None):
        found = (self.to_best(cell, figure, peers) for cell in cells)
        return geometric_mean(pair and pair[0] for pair in found)

    def worst(self, cells, figure="ns", peers=None):
        """[(ratio, cell, best peer)], the highest ratio first."""
        found = [(self.to_best(cell, figure, peers), cell) for cell in cells]
        rows = [(pair[0], cell, pair[1]) for pair, cell in found if pair]
        return sorted(rows, reverse=True)

    def failures(self):
        """[(cell, allocator, number of runs, why)]."""
        rows = []
        for cell, samples in self.cells.items():
            for name, sample in samples.items():
                for why in sorted(set(sample.faults)):
                    rows.append((cell, name, sample.faults.count(why), why))
        return rows


def chance_higher(own, other):
    """How likely `own` is to have ranks as high as these, or higher, by chance
    alone: the exact one-sided test of Mann and Whitney (1947). With fewer than
    four rounds of each it is never below NOISE."""
    everybody = own + other
    ranks = {number: 2 * sum(n < number for n in everybody) +
             everybody.count(number) for number in everybody}
    # ways[k]: {sum of k ranks: in how many ways}
    ways = [collections.Counter() for _ in range(len(own) + 1)]
    ways[0][0] = 1
    for number in everybody:
        for k in range(len(own), 0, -1):
            for total, n in ways[k - 1].items():
                ways[k][total + ranks[number]] += n
    seen = sum(ranks[number] for number in own)
    sums = ways[len(own)]
    return sum(n for total, n in sums.items() if total >= seen) / \
        sums.total()


def geometric_mean(ratios):
    """Of those that are there; None of none."""
    known = [ratio for ratio in ratios if ratio]
    return statistics.geometric_mean(known) if known else None


def name_of(cell):
    return "%s, %d thread%s" % (cell[0], cell[1], "s" * (cell[1] != 1))
