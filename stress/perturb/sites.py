"""The sites of a run: how often each was hit, and which never."""

import collections
import os
import re

FAMILIES = ("load_", "store_", "take_", "cas_", "add_", "sub_", "or_", "and_",
            "ck_pr_cas_ptr_2_value", "ck_pr_cas_ptr_value", "uatomic_cmpxchg",
            "uatomic_xchg")
POINT_KINDS = ("abort", "trap", "delay")
SECTION = re.compile(r"^(?:static .*\b)?(percpu_\w+)\(")


def read_unreached(path):
    """{(function, operation): reason} of sites that no cell reaches; see
    names_of()."""
    known = {}
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            words = line.split(None, 2)
            if not words or line.startswith("#"):
                continue
            if len(words) < 3:
                raise OSError("%s:%d: function, operation and reason are "
                              "wanted" % (path, number))
            known[words[0], words[1]] = words[2].strip()
    return known


def names_of(sites):
    """{site: the names by which the list may speak of it}: the function with
    its operation, with the n-th of such operations, or with any."""
    names, nr = {}, collections.Counter()
    for key in sorted(sites):
        alike = key[:1] + key[2:]
        nr[alike] += 1
        operations = key[3], "%s.%d" % (key[3], nr[alike]), "*"
        names[key] = {(key[2], operation) for operation in operations}
    return names


class Counts:
    """Sums over cells; copies of one line in several files are one site."""

    def __init__(self):
        self.sites = collections.Counter()
        self.points = collections.Counter()
        self.kinds = collections.Counter()

    def read(self, path):
        names = []
        with open(path, encoding="utf-8") as f:
            for line in f:
                words = line.split()
                if words[0] == "kinds":
                    names = words[1:]
                elif words[0] == "site":
                    file, at, function, operation, hits = words[1:6]
                    if os.path.basename(file) == "inside.c":
                        continue
                    key = (os.path.normpath(file), int(at), function,
                           operation)
                    self.sites[key] += int(hits)
                    self.kinds.update(dict(zip(names, map(int, words[6:]))))
                else:
                    line, n, hits = map(int, words[1:4])
                    self.points[line, n] += hits
                    self.kinds.update(
                        {"in a section: " + kind: int(count) for kind, count
                         in zip(POINT_KINDS, words[4:])})

    def report(self, shadow, known, strict):
        """Prints; True if something must not be so."""
        hit = sum(1 for n in self.sites.values() if n)
        points_hit = sum(1 for n in self.points.values() if n)
        print("sites: %d of %d hit, %d times; points in sections: %d of %d, "
              "%d times" % (hit, len(self.sites), sum(self.sites.values()),
                            points_hit, len(self.points),
                            sum(self.points.values())))
        print("injections: " + ", ".join(
            "%s %d" % item for item in sorted(self.kinds.items())))
        names = names_of(self.sites)
        return self.families() | self.stale(shadow, names, known) | \
            self.unreached_sites(names, known, strict) | \
            self.unreached_points(shadow, known)

    def families(self):
        bad = False
        for family in FAMILIES:
            if not any(key[3].startswith(family) for key in self.sites):
                print("no site of the kind %s: is it still wrapped?" % family)
                bad = True
        return bad

    def stale(self, shadow, names, known):
        """Reasons of what is no site, as after a rename."""
        points = {(name, "point") for name in section_lines(shadow).values()}
        gone = sorted(set(known) - points - set().union(*names.values()))
        for key in gone:
            print("unreached.txt: no site is in %s(), %s" % key)
        return bool(gone)

    def unreached_sites(self, names, known, strict):
        """In a whole matrix only those that the list names."""
        bad, listed = False, 0
        for key in sorted(self.sites):
            if self.sites[key]:
                continue
            if any(name in known for name in names[key]):
                listed += 1
                continue
            print("never hit: %s:%d %s(), %s" % key)
            bad = True
        print("never hit and known: %d" % listed)
        if strict:
            self.hit_after_all(names, known)
        return bad and strict

    def hit_after_all(self, names, known):
        """Reasons that may be wrong; no error, as chance may do it."""
        never = {name for key in self.sites if not self.sites[key]
                 for name in names[key]}
        for key in sorted(set(known) - never):
            if key[1] != "point":
                print("unreached.txt: %s(), %s is hit" % key)

    def unreached_points(self, shadow, known):
        """The list names a section's as its operation `point`."""
        bad, sections = False, section_lines(shadow)
        for line, n in sorted(self.points):
            if self.points[line, n] or \
                    (sections.get(line), "point") in known:
                continue
            print("never hit: point %d in %s, line %d" % (
                n, sections.get(line, "?"), line))
            bad = True
        return bad


def section_lines(shadow):
    """The section of each line of the header."""
    path = os.path.join(shadow, "cpucache", "percpu_x86_64.h")
    found, name = {}, "?"
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            m = SECTION.match(line)
            name = m.group(1) if m else name
            found[number] = name
    return found
