#!/usr/bin/env python3
"""No object needs a name that a higher layer defines, and none needs itself by
way of others.

Usage: calls.py BUILD
       calls.py --selftest

Read from the objects by nm, so that no declaration of one's own hides a call.
A name's layer is that of its file, or of the header of that name where that
is lower. Weak needs, names that the library exports, and `lane_` before such a
name, are no calls: they ask what the program has. Assembly is a part of the C
file that calls it.

Prints one line for each breach; exit status 1 if there was one.
"""

import collections
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

FIRST = re.compile(r"/\* layer (\d+)\.(\d+): ")
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")


def layers_of(root, stem):
    """The layers of src/stem.c or .S, and of src/stem.h where there is one."""
    found = []
    for suffix in (".c", ".S", ".h"):
        path = os.path.join(root, "src", stem + suffix)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                m = FIRST.match(f.read())
            if m:
                found.append((int(m.group(1)), int(m.group(2))))
    return found


def nm(*arguments):
    """(kind, name) of each symbol."""
    text = subprocess.run(["nm", *arguments], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    rows = (line.split() for line in text.split("\n"))
    return [(row[-2], row[-1].split("@")[0]) for row in rows if len(row) > 1]


def objects(build):
    folder = os.path.join(build, "obj")
    for base, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.endswith(".o"):
                path = os.path.join(base, name)
                yield os.path.relpath(path, folder)[:-len(".o")], path


def exported(build):
    library = os.path.join(build, "liblanemalloc.so")
    if not os.path.exists(library):
        return set()
    return {name for kind, name in nm("-D", library) if kind != "U"}


def circle_of(stem, needs):
    """The shortest way from an object back to itself, or None."""
    ways = collections.deque([[stem]])
    seen = set()
    while ways:
        way = ways.popleft()
        for other in sorted(needs.get(way[-1], ())):
            if other == stem:
                return way
            if other not in seen:
                seen.add(other)
                ways.append(way + [other])
    return None


def circles(root, needed, defined):
    """Each circle once, as a line."""
    needs, found = {}, {}
    for stem, _, name in needed:
        other = defined.get(name, (stem,))[0]
        if other != stem and not any(os.path.exists(os.path.join(
                root, "src", x + ".S")) for x in (stem, other)):
            needs.setdefault(stem, set()).add(other)
    for stem in sorted(needs):
        way = circle_of(stem, needs)
        if way:
            found.setdefault(frozenset(way), way)
    return ["a circle: " + " needs ".join(way + way[:1])
            for way in found.values()]


def check(root, build):
    shown, defined, needed = exported(build), {}, []
    for stem, path in objects(build):
        layers = layers_of(root, stem)
        if not layers:
            continue  # of a file that is gone
        for kind, name in nm("-g", path):
            if kind == "U":
                needed.append((stem, layers[0], name))
            elif kind != "w" and re.sub("^lane_", "", name) not in shown:
                defined[name] = (stem, min(layers))
    if not defined:
        return ["no objects in %s/obj" % build]
    return circles(root, needed, defined) + [
        "%s of layer %d.%d needs %s() of %s, layer %d.%d"
        % ((stem,) + layer + (name,) + defined[name][:1] + defined[name][1])
        for stem, layer, name in needed
        if name in defined and defined[name][1] > layer]


LOW = "/* layer 1.1: low: below */\nint high(void);\n" \
      "int low(void) { return %s; }\n"
HIGH = "/* layer 2.1: high: above */\nint low(void);\n" \
       "int high(void) { return %s; }\n"
HEADER = "/* layer 1.1: high: what all may ask */\n"

# (what it is, files, how many breaches)
TREES = [
    ("calls downwards", {"low": LOW % "1", "high": HIGH % "low()"}, 0),
    ("a call upwards", {"low": LOW % "high()", "high": HIGH % "1"}, 1),
    ("a call of what a low header has",
     {"low": LOW % "high()", "high": HIGH % "1", "high.h": HEADER}, 0),
    ("two that need each other",
     {"low": LOW % "high()", "high": HIGH % "low()", "high.h": HEADER}, 1),
    ("no objects", {}, 1),
]


def breaches(files):
    with tempfile.TemporaryDirectory() as root:
        folder = os.path.join(root, "build/obj/x")
        os.makedirs(folder)
        os.makedirs(os.path.join(root, "src/x"))
        for name, text in files.items():
            path = os.path.join(root, "src/x", name)
            path += "" if name.endswith(".h") else ".c"
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            if path.endswith(".c"):
                subprocess.run(["gcc", "-c", path, "-o",
                                os.path.join(folder, name + ".o")], check=True)
        return check(root, os.path.join(root, "build"))


def main(arguments):
    if arguments == ["--selftest"]:
        errors = ["%s: %d breaches, not %d" % (what, len(found), nr)
                  for what, files, nr in TREES
                  for found in [breaches(files)] if len(found) != nr]
    else:
        errors = check(ROOT, arguments[0])
    print("\n".join(errors), end="\n" if errors else "")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
