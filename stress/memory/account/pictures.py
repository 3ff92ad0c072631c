"""Memory over time as SVG: a picture of twelve loads at most, by gnuplot."""

import os

from driver import figures, plots

from account import work

PANELS = 12


def groups(results):
    """[(name, cells)]: loads of one kind and number of threads together."""
    found = {}
    for cell in results.cells:
        if results.kinds[cell[0]] == "program":
            name = "traces"
        elif cell[0].startswith(("fleet", "shift")):
            name = "%s-%d" % (cell[0][:5], cell[1])
        else:
            name = "patterns"
        found.setdefault(name, []).append(cell)
    return [("%s-%d" % (name, i // PANELS) if i else name,
             cells[i:i + PANELS])
            for name, cells in found.items()
            for i in range(0, len(cells), PANELS)]


def blocks(results, cells, curves):
    """[(title, [(allocator, rows)])] of the cells that have curves. The live
    bytes are the subject's, the first that there are."""
    found = []
    for cell in cells:
        lines = []
        for name in results.allocators:
            path = work.curve(curves, *cell, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8") as f:
                    lines.append((name, f.read()))
        if lines:
            found.append((plots.title(figures.name_of(cell)), lines))
    return found


def write(path, names, found):
    """A gnuplot data block an allocator and load, missing ones with one
    point that is not there, so that block b * nr + a is allocator a."""
    with open(path, "w", encoding="utf-8") as f:
        for title, lines in found:
            known = dict(lines)
            for name in names:
                f.write('"%s"\t"%s"\t?\n%s\n\n' % (
                    title, name, known.get(name) or "?\t?\t?\n"))


def draw_all(results, folder, curves, note):
    made = []
    for name, cells in groups(results):
        found = blocks(results, cells, curves)
        stem = os.path.join(folder, "time-%s-%s" % (
            name, results.header["form"]))
        if not found:
            continue
        write(stem + ".dat", results.allocators, found)
        if plots.draw("time", stem,
                      {"nr": len(results.allocators), "blocks": len(found),
                       "names": "'%s'" % " ".join(results.allocators)},
                      note):
            made.append(stem + ".svg")
    return made
