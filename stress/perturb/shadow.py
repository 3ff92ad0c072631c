#!/usr/bin/env python3
"""Makes instrumented copies of two headers of the library.

base/atomic.h: every operation gets a site of hook.h around it.
cpucache/percpu_x86_64.h: the injection points become those of
point_x86_64.h, and the id that a section reads can be moved.

The copies shadow the originals by standing first in the include path, so
that src/ itself knows nothing of them. Text that is not found exactly as
often as expected is an error: a shadow that wraps nothing must not pass.
"""

import argparse
import os
import re
import sys

ORDERS = "relaxed|acquire|release|acq_rel|seq"
DEFINE = re.compile(r"^#define (\w+)\(([^)]*)\)", re.M)
OPERATION = re.compile(r"(load|store|take|cas|raise|add|sub|or|and)_(%s)" %
                       ORDERS)
# What other threads cannot tell from their neighbours, and what is no access.
KEPT = ("load_once", "store_once", "fence_acquire")


class Unknown(Exception):
    """The header is not what this script knows."""


def wrapper(name, arguments):
    kind = "PERTURB_VOID" if name.startswith(("store_", "raise_")) else \
        "PERTURB_LOAD" if name.startswith("load_") else "PERTURB_VALUE"
    return "#define %s(%s) \\\n\t%s(\"%s\", plain_%s(%s))\n" % (
        name, arguments, kind, name, name, arguments)


def atomic(text):
    """Each macro under the name plain_..., and a wrapper with its own."""
    found = [m for m in DEFINE.findall(text) if m[0] not in KEPT]
    if len(found) < 20:
        raise Unknown("base/atomic.h: only %d macros" % len(found))
    for name, _ in found:
        if not OPERATION.fullmatch(name) and name != "cas_order":
            raise Unknown("base/atomic.h: what is %s()?" % name)
        text = re.sub(r"\b%s\b" % name, "plain_" + name, text)
    wrappers = "".join(wrapper(name, arguments) for name, arguments in found
                       if name != "cas_order")
    head, end, tail = text.rpartition("#endif")
    return head + '#include "hook.h"\n\n' + wrappers + "\n" + end + tail


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


HEADERS = {
    "base/atomic.h": atomic,
    "cpucache/percpu_x86_64.h": percpu,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--src", required=True, help="the library's sources")
    parser.add_argument("--out", required=True, help="where the copies go")
    options = parser.parse_args()
    for path, change in HEADERS.items():
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
