#!/usr/bin/env python3
"""Nothing needs a name that a higher layer defines, and no object needs itself
by way of others.

Usage: calls.py BUILD
       calls.py --selftest

Read from the objects by nm, so that no declaration of one's own hides a call;
sources that only another libc has are compiled for this. A weak need is a need
as any other: where the name is absent there is another build that has it. What
a header calls in its functions and macros it needs itself, whoever includes
it. A name's layer is that of the file that defines it, not that of the header
that declares it. Assembly is a part of the C file that calls it.

ALLOWED names what must stand, each with its reason. Prints one line for each
breach; exit status 1 if there was one.
"""

import collections
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import source  # noqa: E402

FIRST = re.compile(r"/\* layer (\d+)\.(\d+): ")
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")


# (who needs, a pattern; what, a pattern): why it stands
ALLOWED = {
    ("entry/program", "free|lane_free"):
        "asks whose they are, and calls the program's (program.h)",
    ("entry/cxx_program", "(lane_)?_Z.*"): "likewise",
    ("front/foreign", "__libc_(free|realloc)"):
        "libc's; where they are ours it calls none (system/static_link.h)",
    ("guard/catch", "sigaction"):
        "libc's, in programs that have no entry/signals.c",
    ("entry/cxx_runtime", "dlopen"): "libc's, by our wrapper or not",
}


def allowed(stem, name):
    return any(re.fullmatch(who, stem) and re.fullmatch(what, name)
               for who, what in ALLOWED)


def layer_of(root, *paths):
    """The layer of the first of these files that there is."""
    for path in paths:
        path = os.path.join(root, "src", path)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                m = FIRST.match(f.read())
            if m:
                return int(m.group(1)), int(m.group(2))
    return None


def nm(*arguments):
    """(kind, name) of each symbol."""
    text = subprocess.run(["nm", *arguments], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    rows = (line.split() for line in text.split("\n"))
    return [(row[-2], row[-1].split("@")[0]) for row in rows if len(row) > 1]


def objects(folder, stem=""):
    for base, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.endswith(".o"):
                path = os.path.join(base, name)
                at = os.path.relpath(path, folder)[:-len(".o")]
                yield os.path.join(stem, at), path


def foreign(root, build, folder):
    """Compiles what has no object here, as another libc's alone."""
    flags = os.path.join(build, "flags")
    if not os.path.exists(flags):
        return
    with open(flags, encoding="utf-8") as f:
        command = f.read().split()
    for path in source.files(root, ["src"], (".c",)):
        stem = os.path.splitext(os.path.relpath(path, "src"))[0]
        at = os.path.join(folder, stem.replace("/", "+") + ".o")
        if stem.startswith("command/") or \
                os.path.exists(os.path.join(build, "obj", stem + ".o")) or \
                re.search("_(x86_64|aarch64)$", stem):
            continue
        done = subprocess.run([*command, "-c", path, "-o", at], cwd=root,
                              check=False)
        if done.returncode:
            sys.exit("calls: %s does not compile here" % path)
        yield stem, at


def code_of(text, places):
    return "\n".join("\n".join(text.code[start:end + 1])
                     for _, start, end in places)


def header_needs(root):
    """(header, its layer, name) of each call in a header."""
    for path in source.files(root, ["src"], (".h",)):
        path = os.path.relpath(path, "src")
        layer = layer_of(root, path)
        text = source.source_of(root, os.path.join("src", path))
        inline = code_of(text, text.functions())
        calls = re.findall(r"\b(\w+)\s*\(",
                           inline + code_of(text, text.macros()))
        reads = re.findall(r"(?:&|\b)(\w+)\b[.\[]", inline)
        for name in sorted({*calls, *reads} if layer else ()):
            yield path, layer, name


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


def read(root, found):
    """What objects define, {name: (stem, layer)}, and (stem, layer, name) of
    all that they need."""
    defined, needed = {}, []
    for stem, path in found:
        layer = layer_of(root, stem + ".c", stem + ".S")
        if not layer:
            continue  # of a file that is gone
        for kind, name in nm("-g", path):
            if kind in "Uwv":
                needed.append((stem, layer, name))
            else:
                defined[name] = (stem, layer)
    return defined, [row for row in needed if not allowed(row[0], row[2])]


def breaches(root, defined, needed):
    return circles(root, needed, defined) + [
        "%s of layer %d.%d needs %s of %s, layer %d.%d"
        % ((stem,) + layer + (name,) + defined[name][:1] + defined[name][1])
        for stem, layer, name in needed
        if name in defined and defined[name][1] > layer
        and not allowed(stem, name)]


def check(root, build):
    """The library, and the command where it is built, a program of its own."""
    with tempfile.TemporaryDirectory() as folder:
        defined, needed = read(root, [*objects(os.path.join(build, "obj")),
                                      *foreign(root, build, folder)])
    if not defined:
        return ["no objects in %s/obj" % build]
    command = read(root, [*objects(os.path.join(build, "command"), "command")])
    for row in header_needs(root):
        (command[1] if row[0].startswith("command/") else needed).append(row)
    return breaches(root, defined, needed) + breaches(root, *command)


LOW = "/* layer 1.1: low: below */\nint high(void);\n" \
      "int low(void) { return %s; }\n"
HIGH = "/* layer 2.1: high: above */\nint low(void);\n" \
       "int high(void) { return %s; }\n"
WEAK = "/* layer 1.1: low: below */\nint high(void) __attribute__((weak));\n" \
       "int low(void) { return high ? high() : 0; }\n"
HEADER = "/* layer 1.1: high: what all may ask */\n"
INLINE = HEADER + "int high(void);\nstatic inline int ask(void)\n" \
    "{\n\treturn high();\n}\n"

# (what it is, files, how many breaches)
TREES = [
    ("calls downwards", {"low": LOW % "1", "high": HIGH % "low()"}, 0),
    ("a call upwards", {"low": LOW % "high()", "high": HIGH % "1"}, 1),
    ("a weak need upwards", {"low": WEAK, "high": HIGH % "1"}, 1),
    ("a call of what a low header has",
     {"low": LOW % "high()", "high": HIGH % "1", "high.h": HEADER}, 1),
    ("a low header calls", {"high": HIGH % "1", "high.h": INLINE}, 1),
    ("a low header declares",
     {"high": HIGH % "1", "high.h": HEADER + "int high(void);\n"}, 0),
    ("two that need each other",
     {"low": LOW % "high()", "high": HIGH.replace("2.1", "1.1") % "low()"}, 1),
    ("two by a weak need",
     {"low": WEAK, "high": HIGH.replace("2.1", "1.1") % "low()"}, 1),
    ("no objects", {}, 1),
]


def breaches_of(files):
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
                  for found in [breaches_of(files)] if len(found) != nr]
    else:
        errors = check(ROOT, arguments[0])
    print("\n".join(errors), end="\n" if errors else "")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
