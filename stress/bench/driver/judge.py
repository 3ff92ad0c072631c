"""The aims, each judged: met, or missed by how much.

Nearly all are ratios of medians, subject / peer, and a limit that they may
not exceed. What could not be measured is neither met nor missed, and says so.
"""

import collections

from driver import figures

MEAN_TO_PEER = 0.85     # geometric mean of time, against every single peer
MEAN_TO_BEST = 0.9      # the same, against the best peer of each cell
WORST_TO_BEST = 1.1     # no cell above this beyond noise
PROGRAMS_TO_BEST = 1.0  # geometric mean over the real programs
RSS_MANY = 0.6          # against the best peer with caches of threads
RSS_SINGLE = 1.1        # against the best peer
MANY = (64, 512)
MOST = 512
LATENCY_THREADS = 256
QUANTILES = ("p99.9", "p99.99")
CALL_MOST_NS = 1e5     # the longest call, without what others ran meanwhile

# value: a ratio or None; note: what stands behind the verdict
Verdict = collections.namedtuple("Verdict", "aim value limit verdict note")


def verdict(aim, value, limit, note=""):
    if value is None:
        return Verdict(aim, value, limit, "not measured", note)
    # A ratio that reads as the limit meets it.
    if round(value, 4) <= limit:
        return Verdict(aim, value, limit, "met", note)
    missed = "missed by %.0f %%" % max(1, (value / limit - 1) * 100)
    return Verdict(aim, value, limit, missed, note)


def judge(results):
    return (against_peers(results) + against_best(results) +
            many_threads(results) + memory(results) + latency(results) +
            worst_call(results) + churn(results) + soundness(results))


def against_peers(results):
    cells = results.timed()
    return [verdict("time, geometric mean, against " + peer,
                    results.mean_ratio(cells, peer), MEAN_TO_PEER,
                    compared(results, cells, peer))
            for peer in results.peers]


def compared(results, cells, peer):
    number = sum(results.ratio(cell, peer) is not None for cell in cells)
    text = "%d cells" % number
    if number < len(cells):
        text += "; %d without figures of both" % (len(cells) - number)
    return text


def against_best(results):
    cells = results.timed()
    rows = results.worst(cells)
    beyond = [row for row in rows
              if row[0] <= 1 or not results.near(row[1], row[2])]
    above = [row for row in beyond if row[0] > WORST_TO_BEST]
    return [
        verdict("time, geometric mean, against the best peer of each cell",
                results.mean_to_best(cells), MEAN_TO_BEST,
                "%d of %d cells at 1.00 or below"
                % (sum(row[0] <= 1 for row in rows), len(rows))),
        verdict("time, worst cell against its best peer, beyond noise",
                beyond[0][0] if beyond else min(1.0, rows[0][0]) if rows
                else None, WORST_TO_BEST, worst_note(beyond, above)),
        verdict("time of real programs, geometric mean, against the best peer",
                results.mean_to_best(results.select(("program",))),
                PROGRAMS_TO_BEST),
    ]


def worst_note(rows, above):
    if not rows:
        return ""
    text = "%s (%s)" % (figures.name_of(rows[0][1]), rows[0][2])
    return text + ("; above: %d" % len(above) if above else "")


def many_threads(results):
    """First, or within noise of the first: the worst of those behind."""
    found = []
    for threads in MANY:
        cells = results.select(("load", "churn"), (threads,))
        rows = results.worst(cells)
        behind = [row for row in rows
                  if row[0] > 1 and not results.near(row[1], row[2])]
        value = None if not rows else behind[0][0] if behind else \
            min(1.0, rows[0][0])
        note = "" if not rows else "%d of %d loads behind by more than " \
            "noise" % (len(behind), len(rows))
        if behind:
            note += ": " + ", ".join("%s %.2f" % (row[1][0], row[0])
                                     for row in behind[:5])
        found.append(verdict("time at %d threads, first or within noise"
                             % threads, value, 1.0, note))
    return found


def memory(results):
    many = results.select(("load", "churn", "idle"), (MOST,))
    single = results.select(("load", "churn", "idle", "program"), (1,))
    return (memory_of(results, "RSS at %d threads, against the best of "
                      "threads' caches" % MOST, many,
                      results.per_thread_peers(), RSS_MANY) +
            memory_of(results, "RSS with one thread, against the best peer",
                      single, results.peers, RSS_SINGLE))


def memory_of(results, aim, cells, peers, limit):
    rows = results.worst(cells, "rss", peers)
    return [
        verdict(aim + ", geometric mean",
                results.mean_to_best(cells, "rss", peers), limit,
                "%d of %d cells at %g or below"
                % (sum(row[0] <= limit for row in rows), len(rows), limit)),
        verdict(aim + ", worst cell", rows[0][0] if rows else None, limit,
                worst_note(rows, [r for r in rows if r[0] > limit])),
    ]


def latency(results):
    found = []
    for cell in results.select(("latency",), (LATENCY_THREADS,)):
        for key in latency_keys(results, cell):
            pair = results.to_best(cell, key)
            note = "best peer: %s" % pair[1] if pair else ""
            if pair and pair[0] > 1 and results.near(cell, pair[1], key):
                note += ", within noise"
            found.append(verdict(
                "%s %s at %d threads, lowest of all"
                % (cell[0], key.replace("_", " "), cell[1]),
                pair and pair[0], 1.0, note))
    return found or [verdict("latency at %d threads" % LATENCY_THREADS, None,
                             1.0)]


def latency_keys(results, cell):
    """malloc_p99.9 and the like, of the quantiles that count."""
    keys = {key for sample in results.cells[cell].values()
            for key in sample.values}
    return sorted(key for key in keys
                  if key.rpartition("_")[2] in QUANTILES)


def worst_call(results):
    """No ratio of two mallocs: the longest malloc or free of a round, in the
    median, over what it may take."""
    aim = "longest call, without what others ran meanwhile, of %.0f us" \
        % (CALL_MOST_NS / 1e3)
    rows = [(results.median(cell, results.subject, key), cell, key)
            for cell in results.select(("worst",))
            for key in ("malloc_own", "free_own")]
    own, cell, key = max((row for row in rows if row[0] is not None),
                         default=(None, None, None))
    if own is None:
        return [verdict(aim, None, 1.0)]
    sample = results.sample(cell, results.subject)
    nothing = sample.median("nothing_own") or 0
    return [verdict(aim, own / CALL_MOST_NS, 1.0,
                    "%s, %s; in the worst round %.0f us; a stretch without a "
                    "call %.0f us"
                    % (figures.name_of(cell), key.partition("_")[0],
                       sample.span(key)[1] / 1e3, nothing / 1e3))]


def churn(results):
    rows = results.worst(results.select(("churn",)))
    return [verdict("thread churn, first at every number of threads",
                    rows[0][0] if rows else None, 1.0,
                    worst_note(rows, [row for row in rows if row[0] > 1]))]


def soundness(results):
    """No run of the subject's failed; the value is 1 + their number."""
    number = sum(row[2] for row in results.failures()
                 if row[1] == results.subject)
    aim = "no run of %s fails" % results.subject
    if not results.nr_runs:
        return [verdict(aim, None, 1.0)]
    return [Verdict(aim, None, None,
                    "missed: %d failed" % number if number else "met",
                    "%d runs in all" % results.nr_runs)]
