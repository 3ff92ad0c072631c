#!/usr/bin/env python3
"""Writes the pages of docs/ that repeat what the sources say.

Usage: generate.py [--check] [--root DIRECTORY]

--check writes nothing; it says which pages are not current, exit status 1.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../tests/lint"))

import atomics  # noqa: E402
import man  # noqa: E402
import source  # noqa: E402

CONFIG = "src/system/config.h"
HEADER = "include/lanemalloc.h"
NOTE = "<!-- Made by `make docs` out of %s. -->\n"


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def macro_rows(text, macro):
    """The arguments of each X(...) in the table `#define macro(X) ...`; it may
    have several such names."""
    m = re.search(r"#define %s\(([A-Z]\w*(?:, \w+)*)\)(.*?[^\\])\n" % macro,
                  text, re.S)
    body = m.group(2).replace("\\\n", "\n")
    rows = []
    for start in re.finditer(r"\b(?:%s)\(" % m.group(1).replace(", ", "|"),
                             body):
        rows.append(split_arguments(body, start.end()))
    return rows


def split_arguments(text, at):
    """The arguments of a call whose ( ends at `at`; strings are joined."""
    arguments, depth, current = [], 0, ""
    for token in re.finditer(r'"(?:\\.|[^"\\])*"|.', text[at:], re.S):
        t = token.group()
        if t == ")" and depth == 0:
            break
        if t == "," and depth == 0:
            arguments.append(current)
            current = ""
            continue
        depth += (t == "(") - (t == ")")
        current += t
    arguments.append(current)
    return [unquote(a) for a in arguments]


def unquote(argument):
    strings = re.findall(r'"((?:\\.|[^"\\])*)"', argument)
    if strings:
        return re.sub(r"\\(.)", r"\1", "".join(strings))
    return "" if '""' in argument else argument.strip()


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |",
             "|" + "---|" * len(heads)]
    for row in rows:
        cells = [str(cell).replace("|", "\\|") for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def choices(text, kind):
    """{value: word} of the table CONFIG_CHOICE_NAME."""
    return dict(macro_rows(text, "CONFIG_" + kind))


def number(expression):
    """The value of a constant expression of a table, as people write it."""
    plain = re.sub(r"\(u?int64_t\)|\(size_t\)|(?<=\d)[uUlL]+", "", expression)
    if not re.fullmatch(r"[\d\s()<*+-]+", plain):
        return expression
    value = eval(plain)  # digits and operators alone
    for shift, suffix in ((30, "g"), (20, "m"), (10, "k")):
        if value and value % (1 << shift) == 0:
            return "%d%s" % (value >> shift, suffix)
    return str(value)


def option_rows(root):
    text = read(root, CONFIG)
    rows = []
    for name, kind, default, least, most, words in macro_rows(
            text, "CONFIG_OPTIONS"):
        if kind == "BOOL":
            values, default = "off, on", ("off", "on")[int(default)]
        elif kind.startswith("CHOICE_"):
            words_of = choices(text, kind)
            values = ", ".join(words_of.values())
            default = words_of[default]
        elif kind == "TEXT":
            values, default = "a text", ""
        else:
            values = "%s to %s" % (number(least), number(most))
            default = number(default)
        rows.append(("`%s`" % name, values, default, words))
    return rows


def options(root):
    return (NOTE % CONFIG + "# Options\n\n"
            "`LANEMALLOC_CONF=key=value,key=value,...`, read once when the\n"
            "program starts; before it `/etc/lanemalloc.conf`, one\n"
            "`key = value` a line; lines that begin with `#` are comments.\n"
            "`@path` in the variable stands for another such file. What\n"
            "comes later counts: the environment over root's file. Setuid\n"
            "programs read root's file alone, and write no profile or\n"
            "statistics by it. Numbers take the suffixes k, m and g (powers\n"
            "of 1024). Switches take on and off, 1 and 0, true and false,\n"
            "yes and no. Keys and words are in lower case, in the variable\n"
            "without spaces; of two values for one key the later counts. An\n"
            "unknown key, or a value that is refused, costs one line of\n"
            "warning (ten at most), and the option stays as it was.\n\n" +
            table(("option", "values", "default", "meaning"),
                  option_rows(root)))


def statistics_rows(root, macro):
    return [("`%s`" % name, unit or "count", words)
            for name, unit, words in macro_rows(read(root, HEADER), macro)]


def statistics(root):
    heads = ("field", "unit", "meaning")
    return (NOTE % HEADER + "# Statistics\n\n"
            "The fields of `struct lanemalloc_stats`, which are also the keys\n"
            "of `lanemalloc_stats_json()`, beside `version`, `mode` and `why`.\n"
            "As Prometheus reads them (`lanemalloc_stats_prometheus()`)\n"
            "`live_size` is `lanemalloc_live_bytes`, `nr_slabs`\n"
            "`lanemalloc_slabs`, and what only rises ends in `_total`.\n\n" +
            table(heads, statistics_rows(root, "LANEMALLOC_STATS_KINDS")) +
            "\n## Each size class\n\n"
            "`struct lanemalloc_class_stats`, and the objects under `classes`\n"
            "of `lanemalloc_stats_detail_json()`; in Prometheus' text\n"
            "`lanemalloc_class_...{class=,size=}`.\n\n" +
            table(heads, statistics_rows(root, "LANEMALLOC_CLASS_STATS") +
                  [("`nr_slabs_by_share[10]`", "count",
                    "slabs of which no object is in use, up to 1/8, 2/8, "
                    "... 8/8 but not all, all; cached ones are in use")]) +
            "\n## Each CPU\n\n"
            "`struct lanemalloc_cpu_stats`, `cpus`, and\n"
            "`lanemalloc_cpu_...{cpu=}`.\n\n" +
            table(heads, statistics_rows(root, "LANEMALLOC_CPU_STATS_KINDS")))


MAN_NOTE = "Made by `make docs` out of %s and docs/generate/man.py.\n"


def man_seven(root):
    return man.seven(option_rows(root),
                     statistics_rows(root, "LANEMALLOC_STATS_KINDS"),
                     MAN_NOTE % (CONFIG + ", " + HEADER))


def man_conf(root):
    return man.conf_five(option_rows(root), MAN_NOTE % CONFIG)


def ordering(root):
    pairs = {}
    for a in atomics.accesses(root):
        for name, _, reason in a.pairs:
            pair = pairs.setdefault(name, {"acquire": {}, "release": {},
                                           "reasons": {}})
            where = "%s:%s" % (a.path[len("src/"):], a.function or "-")
            for side in a.sides():
                pair[side]["%s (%s)" % (where, a.what)] = 1
            pair["reasons"][reason] = 1
    rows = [("`%s`" % name, "<br>".join(p["acquire"]),
             "<br>".join(p["release"]), "<br>".join(p["reasons"]))
            for name, p in sorted(pairs.items())]
    return (NOTE % "the ordering comments in src/" + "# Memory ordering\n\n"
            "Every acquire in the library names its release, and every\n"
            "release its acquire; `make lint` fails on an access without a\n"
            "partner. A read-modify-write with both orders, and a\n"
            "sequentially consistent access, stands on both sides. A relaxed\n"
            "load on the acquire side is ordered by an address dependency.\n"
            "\n" +
            table(("pair", "acquire side", "release side", "orders"), rows))


HEAD = re.compile(r"/\* layer (\d+\.\d+): ([^:]+): (.*?)(?: \*/)?\n(?: \* (.*))?")


def summary(text):
    """(layer, what) of a file's first line; what does not fit there is on
    the second."""
    layer, name, what, more = HEAD.match(text).groups()
    if more and not text[:text.index("\n")].endswith("*/"):
        what += " " + more.strip()
    return layer, re.sub(r"; (contract|protocol) in \S+|; see \S+", "",
                         re.sub(r"\s*\*/$", "", what))


def files(root):
    """Headers stand for the files that implement them in the same layer."""
    rows = {}
    for path in source.files(root, ["src"]):
        layer, what = summary(read(root, path))
        stem = os.path.splitext(path[len("src/"):])[0]
        row = rows.setdefault((stem, layer), [[], what])
        row[0].append(os.path.splitext(path)[1])
        if path.endswith(".h"):
            row[1] = what
    order = sorted(rows.items(), key=lambda r: (
        [int(n) for n in r[0][1].split(".")], r[0][0]))
    return table(("layer", "file", "what"),
                 [(layer, "`%s`" % (stem + ", ".join(sorted(ends))), what)
                  for (stem, layer), (ends, what) in order])


def unknown_functions(root, path):
    """Functions that a page names and src/ does not have."""
    if not os.path.exists(os.path.join(root, path)):
        return []
    page = read(root, path)
    text = "".join(read(root, path)
                   for path in source.files(root, ["src", "include"]))
    known = {call or label for call, label in
             re.findall(r"\b(\w+)\(|^(\w+):", text, re.M)}
    return [name for name in re.findall(r"`(\w+)\(\)`", page)
            if name not in known]


def source_map(root):
    """The list of files within a page that is written by hand; None where
    there is no such page."""
    if not os.path.exists(os.path.join(root, "src/README.md")):
        return None
    page = read(root, "src/README.md")
    begin, end = "<!-- files: begin -->\n", "<!-- files: end -->"
    at = page.index(begin) + len(begin)
    return page[:at] + files(root) + page[page.index(end):]


PAGES = {
    "src/README.md": source_map,
    "docs/options.md": options,
    "docs/statistics.md": statistics,
    "docs/ordering.md": ordering,
    "docs/man/lanemalloc.7": man_seven,
    "docs/man/lanemalloc.conf.5": man_conf,
}


def main(arguments):
    root = os.path.join(HERE, "../..")
    if "--root" in arguments:
        root = arguments[arguments.index("--root") + 1]
    status = 0
    for path, make in PAGES.items():
        page = make(root)
        full = os.path.join(root, path)
        current = read(root, path) if os.path.exists(full) else None
        if page is None or page == current:
            continue
        if "--check" in arguments:
            print("%s is not current: make docs" % path)
            status = 1
        else:
            with open(full, "w", encoding="utf-8") as f:
                f.write(page)
            print("wrote %s" % path)
    for name in unknown_functions(root, "src/README.md"):
        print("src/README.md: src/ has no function %s()" % name)
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
