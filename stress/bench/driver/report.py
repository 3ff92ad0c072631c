"""The results as Markdown: a summary, and every cell of it."""

import os
import re

from driver import Fault, figures, judge, machine

MARKS = "<!-- %s: begin -->\n", "<!-- %s: end -->\n"
WORST = 12
OVER = ", and how many took over 100 us"


def table(heads, rows, side="---:"):
    """side: how the columns but for the first are aligned."""
    lines = ["| " + " | ".join(heads) + " |",
             "|---" + ("|" + side) * (len(heads) - 1) + "|"]
    for row in rows:
        cells = [str(cell).replace("|", "\\|") for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def number(value, digits=2):
    return "-" if value is None else "%.*f" % (digits, value)


def three(value):
    """Three digits that count."""
    if value is None:
        return "-"
    if value >= 100:
        return "%.0f" % value
    return "%.2f" % value if value < 10 else "%.1f" % value


def summary(results):
    parts = [setting(results), aims(results), means(results),
             ratios(results), worst(results), memory(results, judge.MOST),
             memory(results, 1), latency(results), failures(results)]
    return "\n".join(part for part in parts if part)


def setting(results, doubt="**Not to be believed: %s.**"):
    """doubt: what a complaint about the machine means."""
    header = results.header
    lines = ["%s. Medians of %d round%s, %d runs, scale %g, %s form, %s."
             % (machine.in_words(header["machine"]), results.rounds,
                "s" * (results.rounds != 1), results.nr_runs, header["scale"], header["form"],
                header["date"])]
    if header.get("complaint"):
        lines.append("\n" + doubt % header["complaint"])
    if header.get("verify"):
        lines.append("\n**With --verify: every block was filled and "
                     "checked, so the times are not the malloc's.**")
    versions = ", ".join(
        "%s %s" % (name, about["version"]) if about["version"] else name
        for name, about in header["allocators"].items())
    lines.append("\nAllocators: %s." % versions)
    return "\n".join(lines) + "\n"


def aims(results):
    rows = [(v.aim, number(v.value), "" if v.limit is None else
             "%g" % v.limit, v.verdict, v.note)
            for v in judge.judge(results)]
    met = sum(row[3] == "met" for row in rows)
    measured = sum(row[3] != "not measured" for row in rows)
    return "### Aims: %d of %d measured ones met\n\n" % (met, measured) + \
        "Ratios are %s / peer: below 1 it is faster or smaller.\n\n" \
        % results.subject + \
        table(("aim", "ratio", "at most", "verdict", "behind it"), rows)


def thread_groups(results):
    """[(title, cells)]: the loads by threads, and the programs."""
    loads = ("load", "churn", "latency")
    numbers = sorted({cell[1] for cell in results.select(loads)})
    groups = [("all", results.timed())]
    groups += [(str(n), results.select(loads, (n,))) for n in numbers]
    groups.append(("programs", results.select(("program",))))
    return [group for group in groups if group[1]]


def means(results):
    groups = thread_groups(results)
    heads = ["peer"] + [title for title, _ in groups] + ["CPU time", "RSS"]
    rows = []
    for peer in results.peers:
        rows.append([peer] +
                    [number(results.mean_ratio(cells, peer))
                     for _, cells in groups] +
                    [number(results.mean_ratio(results.timed(), peer, "cpu")),
                     number(results.mean_ratio(list(results.cells), peer,
                                               "rss"))])
    rows.append(["the best of each cell"] +
                [number(results.mean_to_best(cells)) for _, cells in groups] +
                [number(results.mean_to_best(results.timed(), "cpu")),
                 number(results.mean_to_best(list(results.cells), "rss"))])
    return "### Geometric means of time(%s) / time(peer), by threads\n\n" \
        % results.subject + table(heads, rows)


def ratios(results):
    """One row a load, one column a number of threads."""
    cells = results.timed()
    numbers = sorted({cell[1] for cell in cells})
    rows = []
    for load in sorted({cell[0] for cell in cells}):
        rows.append([load] + [ratio_cell(results, (load, n))
                              for n in numbers])
    return "### Time against the best peer of each cell\n\n" \
        "Who the best peer is stands in brackets; ~ is within noise " \
        "(the rank test, one-sided, at one in twenty).\n\n" + \
        table(["load"] + ["%d thread%s" % (n, "s" * (n != 1))
                          for n in numbers], rows)


def ratio_cell(results, cell):
    if cell not in results.cells:
        return ""
    pair = results.to_best(cell)
    if not pair:
        return "failed" if results.sample(cell, results.subject).faults \
            else "-"
    sign = "~" if results.near(cell, pair[1]) and pair[0] > 1 else ""
    return "%s%.2f (%s)" % (sign, pair[0], pair[1])


def worst(results):
    rows = [(figures.name_of(cell), number(ratio), peer,
             span(results, cell, results.subject),
             span(results, cell, peer))
            for ratio, cell, peer in results.worst(results.timed())[:WORST]]
    return "### The worst cells\n\n" + table(
        ("cell", "ratio", "best peer", results.subject + ", ns",
         "best peer, ns"), rows)


def span(results, cell, name, figure="ns"):
    """The median and the range of the rounds."""
    sample = results.sample(cell, name)
    if sample.faults:
        return "failed"
    if sample.median(figure) is None:
        return "-"
    low, high = sample.span(figure)
    return "%s (%s..%s)" % (three(sample.median(figure)), three(low),
                            three(high))


def memory(results, threads):
    cells = results.select(("load", "churn", "idle", "program"), (threads,))
    if not cells:
        return ""
    rows = []
    for cell in sorted(cells):
        rows.append([cell[0]] + [mib(results.median(cell, name, "rss"))
                                 for name in results.allocators])
    return "### Peak RSS with %d thread%s, MiB\n\n" % (
        threads, "s" * (threads != 1)) + table(
            ["load"] + results.allocators, rows)


def mib(kib):
    return "-" if kib is None else three(kib / 1024)


def quantile_keys(results, cell):
    """Keys of the line that are latencies, in the line's order."""
    keys = {}
    for sample in results.cells[cell].values():
        keys.update(dict.fromkeys(sample.values))
    return [key for key in keys
            if re.fullmatch(r"\w+_(p[0-9.]+|worst|own|over)", key)]


def latency(results):
    parts = []
    for cell in results.select(("latency", "worst")):
        rows = [[key.replace("_", " ")] +
                [three(results.median(cell, name, key))
                 for name in results.allocators]
                for key in quantile_keys(results, cell)]
        if rows:
            parts.append("### %s: nanoseconds%s\n\n" % (
                figures.name_of(cell), OVER * (cell[0] == "worst")) + table(
                    ["quantile"] + results.allocators, rows))
    return "\n".join(parts)


def failures(results):
    rows = [(figures.name_of(cell), name, count, why)
            for cell, name, count, why in results.failures()]
    if not rows:
        return "No run failed.\n"
    return "### Runs that failed\n\nSuch a cell has no figures, and is left " \
        "out of the means.\n\n" + table(
            ("cell", "allocator", "runs", "why"), rows)


def details(results):
    """Every cell: time, CPU time and memory of every allocator."""
    parts = []
    for title, figure, cells in (
            ("Time of an operation, ns: median (range)", "ns",
             results.timed()),
            ("CPU time of a run, s: median (range)", "cpu",
             list(results.cells)),
            ("Peak RSS, KiB: median (range)", "rss", list(results.cells))):
        rows = [[figures.name_of(cell)] +
                [span(results, cell, name, figure)
                 for name in results.allocators] for cell in cells]
        parts.append("### %s\n\n" % title +
                     table(["cell"] + results.allocators, rows))
    return "\n".join(parts)


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".new", path)


def into_page(path, text, name="bench"):
    """Puts the text between the page's marks of that name."""
    with open(path, encoding="utf-8") as f:
        page = f.read()
    before, begin, rest = page.partition(MARKS[0] % name)
    _, end, after = rest.partition(MARKS[1] % name)
    if not begin or not end:
        raise Fault("%s has no marks to write between" % path)
    write(path, before + begin + text + end + after)


def into_folder(folder, machine_of, text):
    """A page for the kind of machine, in place of its last one, and the page
    named like the folder gets the aims of all of them."""
    title = "%d x %s" % (machine_of["cpus"], machine_of["cpu"])
    name = re.sub(r"[^a-z0-9]+", "-", machine_of["cpu"].lower()).strip("-")
    overview = folder.rstrip("/") + ".md"
    os.makedirs(folder, exist_ok=True)
    write(os.path.join(folder, name + ".md"), PAGE % (
        title, os.path.basename(overview), os.path.basename(overview), text))
    into_page(overview, machines(folder))


PAGE = """# %s

Written by `make bench-report`; what it means is in
[%s](../%s).

%s"""


def machines(folder):
    """Aims by rows, machines by columns; an aim that a machine's bench did not
    judge is a dash."""
    heads, values = [], {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            page = f.read()
        title = re.match(r"# (.*)", page).group(1)
        heads.append("[%s](%s/%s)" % (title, os.path.basename(
            folder.rstrip("/")), name))
        for aim, ratio, limit in AIM.findall(page):
            row = values.setdefault((aim, limit), {})
            row[heads[-1]] = ratio
    rows = [[aim, limit] + [row.get(head, "-") for head in heads]
            for (aim, limit), row in values.items()]
    return table(["aim", "at most"] + heads, rows)


# aim, ratio, limit of a row of aims()
AIM = re.compile(r"^\| ([^|]+) \| ([\d.]+) \| ([\d.]+) \| (?:met|missed)", re.M)
