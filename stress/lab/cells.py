"""The lab's table, cells.txt: which machines there are, what runs on them."""

import fnmatch
import glob
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ("test_", "api_", "fault_", "storm_", "lab_")
CELL_FIELDS = 10


class Cell:
    """One line of the table."""

    def __init__(self, fields, sets):
        self.sets = sets
        self.name, self.arch, self.kernel = fields[:3]
        self.cpus, self.nodes, self.mib = map(int, fields[3:6])
        self.settings = fields[6].split(",")
        self.words = fields[7].split(",")
        self.each, self.bound = map(int, fields[8:])

    def suite(self):
        """Debian's, from which its kernel and libc are; empty: this one's."""
        return self.value_of("suite")

    def value_of(self, name):
        """What a setting NAME=... says; empty: there is none."""
        for setting in self.settings:
            if setting.startswith(name + "="):
                return setting[len(name) + 1:]
        return ""

    def be_patient(self, times):
        """Bounds for a host that others use too."""
        self.each = int(self.each * times)
        self.bound = int(self.bound * times)

    def all_words(self, words=None):
        """The words, with the sets that they name taken apart."""
        for word in words or self.words:
            if word.startswith("@"):
                yield from self.all_words(self.sets[word[1:]])
            else:
                yield word


def load(path=os.path.join(HERE, "cells.txt")):
    sets, found = {}, []
    with open(path, encoding="utf-8") as f:
        for line in f:
            fields = line.split("#")[0].split()
            if fields[:1] == ["set"]:
                sets[fields[1]] = fields[2:]
            elif fields[:1] == ["cell"] and len(fields) == CELL_FIELDS + 1:
                found.append(Cell(fields[1:], sets))
            elif fields:
                sys.exit("lab: not a line of the table: " + line)
    return found


def choose(all_cells, patterns):
    """Those that a pattern names, without one all but the quick ones."""
    if not patterns:
        return [c for c in all_cells if not c.name.startswith("quick-")]
    for pattern in patterns:
        if not any(fnmatch.fnmatch(c.name, pattern) for c in all_cells):
            sys.exit("lab: no cell is named " + pattern)
    return [c for c in all_cells
            if any(fnmatch.fnmatch(c.name, p) for p in patterns)]


def built(build):
    """Names of the programs that BUILD holds; those of C++ may be absent."""
    found = []
    for folder in ("tests", "lab/programs"):
        for path in glob.glob(os.path.join(build, folder, "*")):
            name = os.path.basename(path)
            if name.startswith(KINDS) and "." not in name:
                found.append(name)
    return sorted(found)


def resolve(cell, build):
    """The programs of a cell, [NAME or NAME/ARGUMENT/...]."""
    names, chosen = built(build), {}
    for word in cell.all_words():
        pattern, _, arguments = word.lstrip("-").partition("/")
        matching = fnmatch.filter(names, pattern)
        if not matching:
            sys.exit("lab: no program is named " + pattern)
        for name in matching:
            if word.startswith("-"):
                chosen.pop(name, None)
            else:
                chosen[name] = name + ("/" + arguments if arguments else "")
    return list(chosen.values())
