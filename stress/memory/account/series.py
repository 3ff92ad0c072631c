"""A run's memory over time, and its figures.

The watcher's lines (stress/memory/watch.c) are samples, and marks at the end
of the load's stages. The last stage, `idle`, belongs to no mean: how long it
lasts is the load's choice.
"""

import collections

IDLE = "idle"
LOSSES = ("live_size", "cached_size", "slab_free_size", "free_dirty_size",
          "metadata_size")

# ms since the start; bytes. losses: {key: bytes}, empty of another malloc.
Sample = collections.namedtuple("Sample", "ms live rss")
Mark = collections.namedtuple("Mark", "name ms live rss losses")


def parse(text):
    """([Sample], [Mark]); ValueError of lines that are neither."""
    samples, marks = [], []
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["sample"] and len(words) == 4:
            samples.append(Sample(*map(int, words[1:])))
        elif words[:1] == ["mark"] and len(words) >= 5 and len(words) % 2:
            losses = dict(zip(words[5::2], map(int, words[6::2])))
            marks.append(Mark(words[1], *map(int, words[2:5]), losses))
        else:
            raise ValueError("not a line of the watcher: " + line)
    return samples, marks


def end_of_work(samples, marks):
    """When the idle stage begins: at the mark before it."""
    before = None
    for mark in marks:
        if mark.name == IDLE and before:
            return before.ms
        before = mark
    return max([point.ms for point in samples + marks], default=0)


def mean_ratio(points):
    """Resident over live, both integrated over time (trapezoids)."""
    rss = live = 0
    for a, b in zip(points, points[1:]):
        rss += (b.ms - a.ms) * (a.rss + b.rss)
        live += (b.ms - a.ms) * (a.live + b.live)
    return rss / live if live else None


def figures(samples, marks):
    """{key: number} of a run; bytes, or ratios of resident to live bytes.
    Marks count as samples, as a peak may fall between two of these."""
    points = sorted(samples + [Sample(mark.ms, mark.live, mark.rss)
                               for mark in marks])
    if not points:
        raise ValueError("the watcher saw no memory")
    found = {"peak_rss": max(point.rss for point in points),
             "peak_live": max(point.live for point in points)}
    if found["peak_live"]:
        found["peak"] = found["peak_rss"] / found["peak_live"]
    end = end_of_work(samples, marks)
    found["mean"] = mean_ratio([point for point in points
                                if point.ms <= end])
    for mark in marks:
        found[mark.name + "_rss"] = mark.rss
        found[mark.name + "_live"] = mark.live
        if mark.live:
            found[mark.name] = mark.rss / mark.live
        for key, number in mark.losses.items():
            found["%s.%s" % (mark.name, key)] = number
    return {key: number for key, number in found.items()
            if number is not None}


def losses(values, name):
    """Where a mark's resident bytes are, in a fixed order: live as the load
    counts it, lost inside objects, then the malloc's free memory and what is
    left. None: the malloc does not tell."""
    if name + ".live_size" not in values:
        return None
    live, rss = values[name + "_live"], values[name + "_rss"]
    told = {key: values["%s.%s" % (name, key)] for key in LOSSES}
    parts = {"live": live, "objects": told["live_size"] - live,
             "slabs": told["slab_free_size"],
             "caches": told["cached_size"], "runs": told["free_dirty_size"],
             "metadata": told["metadata_size"]}
    parts["other"] = rss - sum(parts.values())
    parts["rss"] = rss
    return parts


def thin(points, most):
    """At most so many points, with each stretch's largest RSS."""
    step = -(-len(points) // most) or 1
    return [max(points[i:i + step], key=lambda point: point.rss)
            for i in range(0, len(points), step)]
