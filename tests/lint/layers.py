"""The first line of a file says its layer; includes go down; no two headers
have one guard, and those of command/ have a prefix of their own."""

import os
import re

import source

FIRST = re.compile(r"/\* layer (\d+)\.(\d+): [^:]+: \S")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
GUARD = re.compile(r"^#ifndef (LANE_\w+_H)$", re.M)
ARCH = re.compile(r"_(generic|x86_64|aarch64)(?=\.h$)")
# The public headers state what every layer may know.
PUBLIC = ("lanemalloc.h", "lanemalloc_view.h")


def check(root):
    errors, layers, includes, guards = [], {}, [], {}
    for path in source.files(root, ["src"]):
        with open(os.path.join(root, path), encoding="utf-8") as f:
            text = f.read()
        m = FIRST.match(text)
        if not m:
            errors.append("%s:1: the first line is not "
                          "`/* layer N.M: name: what`" % path)
        layers[path] = (int(m.group(1)), int(m.group(2))) if m else None
        errors += check_guard(path, GUARD.search(text), guards)
        for i in INCLUDE.finditer(text):
            line = text.count("\n", 0, i.start(1)) + 1
            includes.append((path, line, i.group(1)))
    for path, line, name in includes:
        errors += check_include(path, line, name, layers)
    return errors


def check_guard(path, m, guards):
    """guards: {guard: the header, whatever the architecture}"""
    if not path.endswith(".h") or not m:
        return []
    plain, ours = ARCH.sub("", path), path.startswith("src/command/")
    first = guards.setdefault(m.group(1), plain)
    if first != plain:
        return ["%s: %s is the guard of %s" % (path, m.group(1), first)]
    if ours != m.group(1).startswith("LANE_COMMAND_"):
        return ["%s: the guard %s; those of command/, and no others, begin "
                "with LANE_COMMAND_" % (path, m.group(1))]
    return []


def stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def check_include(path, line, name, layers):
    if name in PUBLIC:
        return []
    target = "src/" + name
    if target not in layers:
        return ['%s:%d: "%s" is no file of src/' % (path, line, name)]
    own, other = layers[path], layers[target]
    if own is None or other is None or other <= own:
        return []
    if stem(path) == stem(target):
        return []
    return ["%s:%d: layer %d.%d includes %s of layer %d.%d"
            % ((path, line) + own + (name,) + other)]
