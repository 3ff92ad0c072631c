#!/usr/bin/env python3
"""Makes instrumented copies of headers of the library.

base/atomic.h: a hook is called around every operation, or before it.
cpucache/percpu_x86_64.h (with --hook perturb): the injection points become
those of point_x86_64.h, and the id that a section reads can be moved.

The copies shadow the originals by standing first in the include path, so
that src/ itself knows nothing of them. Text that is not found exactly as
often as expected is an error: a shadow that wraps nothing must not pass.
"""

import argparse
import os
import re
import sys

ORDERS = "relaxed|acquire|release|acq_rel|seq"
MACRO = re.compile(r"^#define (\w+)\(([^)]*)\)(?:[^\n]*\\\n)*[^\n]*\n", re.M)
OPERATION = re.compile(r"(load|store|take|cas|add|sub|or|and)_(%s)" % ORDERS)
# Made of other operations, which have their hooks; and what is no access that
# other threads can tell from its neighbours.
KEPT = re.compile(
    r"raise_(%s)|load_once|store_once|fence_(?:acquire|release)" % ORDERS)


class Unknown(Exception):
    """The header is not what this script knows."""


def perturb_wrapper(name, arguments):
    kind = "PERTURB_VOID" if name.startswith("store_") else \
        "PERTURB_LOAD" if name.startswith("load_") else "PERTURB_VALUE"
    return "%s(\"%s\", plain_%s(%s))" % (kind, name, name, arguments)


def fuzz_wrapper(name, arguments):
    return "(fuzz_point(), plain_%s(%s))" % (name, arguments)


# What a hook includes, and how it wraps an operation.
HOOKS = {
    "perturb": ("hook.h", perturb_wrapper),
    "fuzz": ("stress/fuzz/point.h", fuzz_wrapper),
}


def atomic(text, hook):
    """Each operation under the name plain_..., and a wrapper with its own."""
    include, wrapper = HOOKS[hook]
    found = [m for m in MACRO.finditer(text) if not KEPT.fullmatch(m.group(1))]
    names = [m.group(1) for m in found]
    for name in names:
        if not OPERATION.fullmatch(name) and name != "cas_order":
            raise Unknown("base/atomic.h: what is %s()?" % name)
    if len(names) < 20:
        raise Unknown("base/atomic.h: only %d operations" % len(names))
    plain, wrappers = text, ""
    for m in reversed(found):
        body = re.sub(r"\b(%s)\b" % "|".join(names), r"plain_\1", m.group())
        plain = plain[:m.start()] + body + plain[m.end():]
    for m in found:
        if m.group(1) != "cas_order":
            wrappers += "#define %s(%s) \\\n\t%s\n" % (
                m.group(1), m.group(2), wrapper(m.group(1), m.group(2)))
    head, end, tail = plain.rpartition("#endif")
    return '%s#include "%s"\n\n%s\n%s' % (head, include, wrappers, end + tail)


def replaced(text, pattern, new, what):
    text, n = re.subn(pattern, new, text, flags=re.S)
    if n != 1:
        raise Unknown("percpu_x86_64.h: %d times %s" % (n, what))
    return text


def percpu(text):
    """The numbers of the lines stay those of the original."""
    block = re.search(r"#ifdef LANE_INJECT\n.*?\n#endif\n", text, re.S)
    if not block or "PERCPU_POINT(n)" not in block.group():
        raise Unknown("percpu_x86_64.h: no PERCPU_POINT")
    lines = block.group().count("\n")
    text = text.replace(block.group(), '#include "point_x86_64.h"\n' +
                        "\n" * (lines - 1))
    return replaced(
        text, r'("movl %%fs:\(%\[" #t "\]\), %k\[" #t "\]\\n\\t")'
        r'( /\* t = id \*/)', r"\1 PERTURB_MOVE_ID(t)\2", "the load of the id")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--src", required=True, help="the library's sources")
    parser.add_argument("--out", required=True, help="where the copies go")
    parser.add_argument("--hook", choices=HOOKS, required=True)
    options = parser.parse_args()
    headers = {"base/atomic.h": lambda text: atomic(text, options.hook)}
    if options.hook == "perturb":
        headers["cpucache/percpu_x86_64.h"] = percpu
    for path, change in headers.items():
        with open(os.path.join(options.src, path), encoding="utf-8") as f:
            text = change(f.read())
        to = os.path.join(options.out, path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        with open(to, "w", encoding="utf-8") as f:
            f.write(text)


if __name__ == "__main__":
    try:
        main()
    except (OSError, Unknown) as error:
        sys.exit("shadow.py: %s" % error)
