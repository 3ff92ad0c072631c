"""The report: resident over live bytes of every load, and the losses."""

from driver import figures, report

from account import series

RATIOS = (
    ("peak", "Peak RSS over peak live bytes", "the largest of both"),
    ("mean", "RSS over live bytes, mean over time",
     "both integrated until the load is idle"),
    ("shift", "RSS over live bytes when the sizes have shifted",
     "at the end of the stage"),
    ("shrink", "RSS over live bytes when nine of ten blocks are freed",
     "at the end of the stage"),
)
MIB = 2**20


def summary(results):
    parts = [report.setting(
        results, "Measured beside other work (%s), which memory hardly "
        "depends on."), means(results)]
    parts += [ratio_table(results, *row) for row in RATIOS]
    parts += [idle(results), losses(results), report.failures(results)]
    return "\n".join(part for part in parts if part)


def with_figure(results, figure):
    return [cell for cell in results.cells
            if any(results.median(cell, name, figure) is not None
                   for name in results.allocators)]


def means(results):
    """One row a peer: the geometric means of subject / peer."""
    keys = ("peak", "mean", "shift", "shrink", "idle_rss")
    rows = [[peer] + [report.number(results.mean_ratio(
        with_figure(results, key), peer, key)) for key in keys]
            for peer in results.peers]
    rows.append(["the best of each load"] + [report.number(
        results.mean_to_best(with_figure(results, key), key))
                                             for key in keys])
    return "### Geometric means of memory(%s) / memory(peer)\n\n" \
        "Below 1 it is smaller.\n\n" % results.subject + report.table(
            ("peer", "peak", "mean", "shift", "shrink", "idle"), rows)


def marked(texts, numbers):
    """The smallest number of a row in bold, by position."""
    known = [number for number in numbers if number is not None]
    return ["**%s**" % text if known and number == min(known) else text
            for text, number in zip(texts, numbers)]


def rows_of(results, figure, factor=1.0):
    rows = []
    for cell in with_figure(results, figure):
        numbers = [results.median(cell, name, figure)
                   for name in results.allocators]
        texts = ["-" if number is None else report.three(number / factor)
                 for number in numbers]
        rows.append([figures.name_of(cell)] +
                    marked(texts, numbers))
    return rows


def ratio_table(results, figure, title, about):
    rows = rows_of(results, figure)
    if not rows:
        return ""
    return "### %s\n\n%s; the smallest of a row is bold.\n\n" % (
        title, about[0].upper() + about[1:]) + report.table(
            ["load"] + results.allocators, rows)


def idle(results):
    rows = rows_of(results, "idle_rss", MIB)
    if not rows:
        return ""
    for row, cell in zip(rows, with_figure(results, "idle_rss")):
        live = results.median(cell, results.subject, "idle_live")
        row.insert(1, "-" if live is None else report.three(live / MIB))
    return "### RSS after four idle seconds, MiB\n\n" + report.table(
        ["load", "live"] + results.allocators, rows)


def worst_mark(values):
    """The mark with the largest difference of resident and live bytes."""
    names = [key[:-len(".live_size")] for key in values
             if key.endswith(".live_size")]
    return max(names, default=None, key=lambda name:
               values[name + "_rss"] - values[name + "_live"])


def loss_row(results, cell):
    sample = results.sample(cell, results.subject)
    values = {key: sample.median(key) for key in sample.values}
    name = worst_mark(values) if sample.sound() else None
    if not name:
        return None
    parts = series.losses(values, name)
    return [figures.name_of(cell), name] + [
        "%.1f" % (number / MIB) for number in parts.values()]


def losses(results):
    rows = [row for row in (loss_row(results, cell)
                            for cell in results.cells) if row]
    if not rows:
        return ""
    return "### Where the bytes of %s are, MiB\n\n" \
        "At the end of the stage that loses most. `objects`: rounded up " \
        "inside live objects; `slabs`: free objects, resident or not; " \
        "`other`: RSS less all that, below 0 by what is not resident.\n\n" \
        % results.subject + report.table(
            ("load", "after", "live", "objects", "slabs", "caches",
             "free runs", "metadata", "other", "RSS"), rows)
