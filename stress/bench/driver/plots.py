"""The pictures: data files and gnuplot's scripts of plots/, as SVG."""

import os
import shutil
import subprocess

from driver import judge, running

SCRIPTS = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "plots")

COLOURS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b",
           "#17becf", "#7f7f7f", "#bcbd22", "#e377c2")


def write(path, rows):
    """Columns with tabs between; '?' is a value that is not there."""
    with open(path, "w", encoding="utf-8") as f:
        for row in rows:
            f.write("\t".join("?" if cell is None else str(cell)
                              for cell in row) + "\n")


def title(text):
    """As gnuplot's enhanced text takes it."""
    return text.replace("_", "\\\\_")


def ratios(results, path):
    """One row a load: its ratio to the best peer at each number of threads;
    programs last, in a column of their own."""
    loads = results.select(("load", "churn", "latency"))
    numbers = sorted({cell[1] for cell in loads})
    rows = [["load"] +
            ["%d thread%s" % (n, "s" * (n != 1)) for n in numbers] +
            ["program"]]
    names = sorted({cell[0] for cell in loads})
    for name in names:
        pairs = [results.to_best((name, n)) if (name, n) in results.cells
                 else None for n in numbers]
        rows.append([title(name)] + [pair and pair[0] for pair in pairs] +
                    [None])
    for cell in results.select(("program",)):
        pair = results.to_best(cell)
        rows.append([title(cell[0])] + [None] * len(numbers) +
                    [pair and pair[0]])
    write(path, rows)
    return len(rows) > 1, {"nr": len(numbers) + 1}


def memory(results, path):
    cells = results.select(("load", "churn", "idle"), (judge.MOST,))
    rows = [["load"] + results.allocators]
    for cell in sorted(cells):
        rss = [results.median(cell, name, "rss")
               for name in results.allocators]
        rows.append([title(cell[0])] + [kib and kib / 1024 for kib in rss])
    write(path, rows)
    return len(rows) > 1, {"nr": len(results.allocators)}


def latency(results, path):
    """One row a quantile of the load that has malloc's: nines, nanoseconds
    of each allocator."""
    rows = [["nines"] + results.allocators]
    cells = results.select(("latency",), (judge.LATENCY_THREADS,))
    for cell in cells[:1]:
        keys = {key for sample in results.cells[cell].values()
                for key in sample.values if key.startswith("malloc_p")}
        for quantile in sorted(float(key[len("malloc_p"):]) for key in keys):
            key = next(k for k in keys
                       if float(k[len("malloc_p"):]) == quantile)
            rows.append(["p%g" % quantile] +
                        [results.median(cell, name, key)
                         for name in results.allocators])
    write(path, rows)
    return len(rows) > 1, {"nr": len(results.allocators)}


def scaling(results, path):
    """Blocks of rows, one block a load: threads, million operations per
    second of each allocator."""
    cells = results.select(("load", "churn"))
    names = [name for name in sorted({cell[0] for cell in cells})
             if len([cell for cell in cells if cell[0] == name]) > 1]
    blocks = []
    for name in names:
        block = []
        for cell in sorted(cell for cell in cells if cell[0] == name):
            ns = [results.median(cell, allocator)
                  for allocator in results.allocators]
            block.append([cell[1]] + [n and 1e3 / n for n in ns])
        blocks.append((title(name), block))
    write(path, [row for name, block in blocks for row in
                 [['"%s"' % name, *results.allocators], *block, [], []]])
    return bool(blocks), {"nr": len(results.allocators),
                          "blocks": len(blocks)}


PLOTS = (("ratios", ratios), ("rss", memory), ("latency", latency),
         ("scaling", scaling))


def draw_all(results, folder, note):
    """Returns the pictures' paths. Without gnuplot the data remain; those of
    earlier runs do not."""
    made = []
    for name, prepare in PLOTS:
        stem = os.path.join(folder, name + "-" + results.header["form"])
        if os.path.exists(stem + ".svg"):
            os.unlink(stem + ".svg")
        wanted, values = prepare(results, stem + ".dat")
        if not wanted:
            os.unlink(stem + ".dat")
        elif draw(name, stem, values, note):
            made.append(stem + ".svg")
    return made


def draw(name, stem, values, note, picture=None):
    """The picture of the data of that stem beside them, if not elsewhere;
    false: there is none, as is noted."""
    if not shutil.which("gnuplot"):
        note("no gnuplot: %s is not drawn" % name)
        return False
    setting = ["data='%s.dat'" % stem,
               "out='%s'" % (picture or stem + ".svg"),
               "array colour[%d]=[%s]" % (
                   len(COLOURS), ",".join("'%s'" % c for c in COLOURS))]
    setting += ["%s=%s" % pair for pair in values.items()]
    done = subprocess.run(
        ["gnuplot", "-e", "; ".join(setting),
         os.path.join(SCRIPTS, "common.gp"),
         os.path.join(SCRIPTS, name + ".gp")],
        text=True, capture_output=True, check=False)
    if done.returncode:
        note("gnuplot cannot draw %s: %s" % (
            name, running.last_line(done.stderr) or "?"))
    return not done.returncode
