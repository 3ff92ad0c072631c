#!/usr/bin/env python3
"""Faults for negative controls: the library, wrong in one place.

Usage: faults.py --list FILE
       faults.py --src DIRECTORY FILE NAME...

A file of faults has paragraphs:

	[name]
	function: text => other text
	path/of/file.h function: text => other text

In the function's definition the text, blanks apart, stands exactly once; the
other one takes its place. A line that begins with a tab goes on with the one
before. The path, below the sources, is for a function that two files define.
A change that fits nowhere, or twice, is an error, so that a fault never turns
into no fault.
"""

import argparse
import functools
import itertools
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                             "../../tests/lint"))

import source  # noqa: E402

CHANGE = re.compile(r"(?:(\S+) )?(\w+): (.+) =>(?: (.*))?", re.S)
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\w+|[^\w\s]')


class Unfit(Exception):
    """A fault that cannot be put in."""


def read(path):
    """{name: [(path or None, function, old, new)]}, in the file's order."""
    faults, name = {}, None
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"\n\t+", " ", f.read())
    for line in text.split("\n"):
        change = CHANGE.fullmatch(line)
        if line.startswith("["):
            name = line.strip("[]")
            faults[name] = []
        elif change and name:
            faults[name].append(change.groups(""))
        elif line and not line.startswith("#"):
            raise Unfit("%s: what is this: %s" % (path, line))
    return faults


def pattern_of(text):
    """The tokens, with any blanks between them."""
    tokens = TOKEN.findall(text)
    pattern = re.escape(tokens[0])
    for before, token in zip(tokens, tokens[1:]):
        apart = before[-1:].isalnum() and token[:1].isalnum()
        pattern += (r"\s+" if apart else r"\s*") + re.escape(token)
    return re.compile((r"(?<!\w)" if tokens[0][0].isalnum() else "") +
                      pattern + (r"(?!\w)" if tokens[-1][-1].isalnum()
                                 else ""))


@functools.lru_cache(maxsize=None)
def functions_of(src, path):
    """(name, where the body begins, where it ends) of all in a file."""
    text = source.Source(src, path)
    at = [0] + list(itertools.accumulate(len(x) + 1 for x in text.lines))
    return [(name, at[first], at[last])
            for name, first, last in text.functions()]


def place_of(src, path, function):
    """The file and the body that define the function."""
    found = [(file, start, end)
             for file in ([path] if path else source.files(src, ["."]))
             for name, start, end in functions_of(src, file)
             if name == function]
    if len(found) != 1:
        raise Unfit("%s() has %d definitions" % (function, len(found)))
    return found[0]


def change(src, path, function, old, new):
    """(file, its text with the change)."""
    path, start, end = place_of(src, path, function)
    text = source.text_of(src, path)
    matches = list(pattern_of(old).finditer(text, start, end))
    if len(matches) != 1:
        raise Unfit("%s() has %d times: %s" % (function, len(matches), old))
    m = matches[0]
    return path, text[:m.start()] + new + text[m.end():]


def put_in(src, changes):
    """All changes of a fault; where one does not fit, some are in."""
    for one in changes:
        path, text = change(src, *one)
        with open(os.path.join(src, path), "w", encoding="utf-8") as f:
            f.write(text)
        functions_of.cache_clear()


def check(src, path):
    """What does not fit, as lines."""
    errors = []
    for name, changes in read(path).items():
        if not changes:
            errors.append("%s: %s changes nothing" % (path, name))
        for one in changes:
            try:
                change(src, *one)
            except Unfit as unfit:
                errors.append("%s: %s: %s" % (path, name, unfit))
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--list", action="store_true", help="their names")
    parser.add_argument("--src", help="the sources to change")
    parser.add_argument("file")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    faults = read(options.file)
    if options.list:
        print("\n".join(faults))
    for name in options.names:
        if name not in faults:
            raise Unfit("%s has no fault %s" % (options.file, name))
        put_in(options.src, faults[name])


if __name__ == "__main__":
    try:
        main()
    except (OSError, Unfit) as error:
        sys.exit("faults.py: %s" % error)
