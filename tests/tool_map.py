#!/usr/bin/env python3
"""lanemalloc map: the picture has each unit once, and is well-formed."""

import os
import re
import xml.etree.ElementTree as tree

from tool import check, command, main, start, stats, work


def test_map():
    child = start("still", "20000")
    path = os.path.join(work, "heap.svg")
    command("map", child.pid, "-o", path)
    seen = stats(child.pid)
    root = tree.parse(path).getroot()
    name = "{http://www.w3.org/2000/svg}"
    cells = [r for r in root.iter(name + "rect") if r.find(name + "title")
             is not None]
    # Six to a unit; a gap of one behind each that is not clean.
    units = sum((int(r.get("width")) + 1) // 6 for r in cells)
    titles = [r.find(name + "title").text for r in cells]
    slabs = {t.split(":")[0] for t in titles if " block" in t and " of " in t}
    runs = {t.split(":")[0] for t in titles if ": a run" in t}
    check(len(slabs) == seen["nr_slabs"], "%d slabs" % len(slabs))
    check(len(runs) == seen["nr_large"], "%d runs" % len(runs))
    check(units * seen["unit_size"] <= seen["committed_size"], "too many")
    check(units * seen["unit_size"] >= seen["live_size"], "too few")
    used = sum(int(n) * int(size) for t in
               {t.split(":")[0]: t for t in titles}.values()
               for n, size in re.findall(r"(\d+) of \d+ blocks? of (\d+)", t))
    check(used == seen["live_size"] - seen["live_large_size"] +
          seen["cached_size"], "blocks in use: %d" % used)
    command("map", status=2)


main(test_map)
