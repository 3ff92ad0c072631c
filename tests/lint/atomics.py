"""Every ordering names its pair; every relaxed access gives its reason.

    // [name] with function(): reason

A hint or a counter says so where it is declared, and then an access says no
more:

    _Atomic(uint32_t) nr_listed; /* atomic: hint, in partial */

Each name stands on an acquire side and on a release side. A release that is
met through an address dependency has its acquire side at a relaxed load that
carries such a comment, or at an instruction of an architecture's file.
"""

import re

import source

ATOMIC_H = "src/base/atomic.h"
USE = re.compile(r"\b(load|store|take|cas|raise|add|sub|or|and|fence)_"
                 r"(relaxed|acquire|release|acq_rel|seq)\s*\(")
# What the libraries' calls are, and the one file that makes them.
FOREIGN_H = "src/slab/slab_stack.h"
FOREIGN = {
    "ck_stack_push_upmc": "release",
    "ck_stack_trypop_mpmc": "acquire",
    "ck_pr_load_ptr": "relaxed",
    "_cds_lfs_push": "release",
    "___cds_lfs_pop_all": "acquire",
    "CMM_LOAD_SHARED": "relaxed",
}
FOREIGN_USE = re.compile(r"\b((?:ck|CK|_*cds|_*cmm|CMM|uatomic)_\w+)\s*\(")
RAW = re.compile(r"\b(__atomic_\w+|__sync_\w+|atomic_\w+)\s*\(")
FUNCTION = r"[A-Za-z_]\w*\(\)"
PAIR = re.compile(r"\[([^\[\]]+)\] with (%s(?:(?:,| and|, and| or) %s)*): "
                  r"(\S.*?)(?=\s*\[[^\[\]]+\] with |$)"
                  % (FUNCTION, FUNCTION))

# What a declaration says once for all accesses.
DECLARED = re.compile(r"_Atomic\((?:[^()]|\([^()]*\))*\)\s*"
                      r"(\w[\w\s,\[\]*+/<()-]*)(?:=[^;]*)?;")
NAMES = re.compile(r"(\w+)\s*(?:\[[^\]]*\]\s*)*(?:,|\binternal|$)")
SAYS = re.compile(r"(?:atomic: )?(hint|counter)s?\b")
BARE = ("hint", "counter")

ARCH_FILE = re.compile(r"_(x86_64|aarch64)\.[hcS]$")
SIDES = {
    "acquire": ("acquire",),
    "release": ("release",),
    "acq_rel": ("acquire", "release"),
    "seq": ("acquire", "release"),
}


class Access:
    """One use of an operation of base/atomic.h, or of an instruction."""

    def __init__(self, src, line, operation, order, comments):
        self.path, self.line = src.path, line + 1
        self.operation, self.order = operation, order
        self.what = operation + "_" + order \
            if order and operation not in FOREIGN else operation
        self.function = src.function_at(line)
        self.comment = " ".join(c for c in comments if c)
        self.pairs = [(m.group(1), m.group(2), m.group(3).strip(" ;."))
                      for c in comments for m in PAIR.finditer(c)]
        self.reason = " ".join(PAIR.sub("", c) for c in comments).strip()
        self.unclear = False
        self.field = ""
        self.declared = ""
        self.again = False

    def sides(self):
        if self.order in SIDES:
            return SIDES[self.order]
        if self.pairs and (self.operation in ("load", "assembly") or
                           self.operation in FOREIGN):
            return ("acquire",)
        return ()


def call_end(src, offset):
    """The line, from 0, on which the call that opens at offset ends."""
    depth = 0
    for i in range(offset, len(src.code_text)):
        c = src.code_text[i]
        if c == "(":
            depth += 1
        elif c == ")":
            depth -= 1
            if depth == 0:
                break
    return src.code_text.count("\n", 0, i)


def assembly(src):
    """The pairs that the comments of an architecture's file name."""
    found = []
    for i, line in enumerate(src.comments):
        if PAIR.search(line):
            end = i + 1
            while end < len(src.code) and src.comments[end].strip() and \
                    not src.code[end].strip():
                end += 1
            words = source.comment_words(src.comments[i:end])
            found.append(Access(src, i, "assembly", "", [words]))
    return found


def share_pairs(statement):
    """Gives each of the accesses of one statement the pairs that are its."""
    ordered = [a for a in statement if a.order in SIDES]
    for a in statement:
        if ordered and a.order == "relaxed":
            a.pairs, a.comment = [], a.reason
    pairs = ordered[0].pairs if ordered else []
    if len(ordered) < 2 or any(a.pairs != pairs for a in ordered):
        return
    for i, a in enumerate(ordered):
        a.unclear = len(pairs) != len(ordered)
        if not a.unclear:
            a.pairs = [pairs[i]]


def declarations(src):
    """{name: what their comments say, "" for more} of a file's atomics."""
    found = {}
    for m in DECLARED.finditer(src.code_text):
        first = src.code_text.count("\n", 0, m.start())
        last = src.code_text.count("\n", 0, m.end())
        words = source.comment_words(src.comments[first:last + 1]) or \
            source.comment_words(src.above(first))
        says = SAYS.match(words)
        for name in NAMES.findall(m.group(1).strip()):
            if words:
                found.setdefault(name, set()).add(
                    says.group(1) if says else "")
    return found


class Declared:
    """What is said once: of the names of a file there, of others where all
    of that name say it."""

    def __init__(self, root):
        self.of_file, self.of_all = {}, {}
        for path in source.files(root, ["src"], (".c", ".h")):
            self.of_file[path] = declarations(source.source_of(root, path))
            for name, says in self.of_file[path].items():
                self.of_all.setdefault(name, set()).update(says)

    def says(self, path, name):
        says = self.of_file[path].get(name) or self.of_all.get(name, {""})
        return next(iter(says)) if len(says) == 1 else ""


def operand(src, offset):
    """The last name of the object whose address follows at offset."""
    m = re.match(r"\s*&((?:\w+|->|\.|\[[^\]]*\])+)\s*[,)]",
                 src.code_text[offset:])
    return re.findall(r"\w+", re.sub(r"\[[^\]]*\]", "", m.group(1)))[-1] \
        if m else ""


def uses(src):
    found = list(USE.finditer(src.code_text))
    if src.path == FOREIGN_H:
        found += [m for m in FOREIGN_USE.finditer(src.code_text)
                  if m.group(1) in FOREIGN]
    return found


def operation_of(m):
    """The operation and its order, of one of uses()."""
    return (m.group(1), FOREIGN[m.group(1)]) if m.re is FOREIGN_USE else \
        (m.group(1), m.group(2))


def accesses(root):
    """All uses below src/, in the order of the text."""
    found, declared = [], Declared(root)
    for path in source.files(root, ["src"], (".c", ".h")):
        if path == ATOMIC_H:
            continue
        src = source.source_of(root, path)
        if ARCH_FILE.search(path):
            found += assembly(src)
        statements = {}
        for m in uses(src):
            first = src.code_text.count("\n", 0, m.start())
            last = call_end(src, m.end() - 1)
            words = [source.comment_words(lines) for lines in
                     src.statement_comments(first, last)]
            a = Access(src, first, *operation_of(m), words)
            a.field = operand(src, m.end())
            a.declared = declared.says(path, a.field)
            statements.setdefault(src.statement_start(first), []).append(a)
            found.append(a)
        for statement in statements.values():
            share_pairs(statement)
            again = all(a.declared and a.order == "relaxed" for a in statement)
            for a in statement:
                a.again = again and a.comment in BARE
    return found


def unused(root, found):
    """The operations of base/atomic.h that none of these accesses is."""
    src = source.source_of(root, ATOMIC_H)
    used = {a.what for a in found}
    return ["%s:%d: %s() is used nowhere" % (ATOMIC_H, line + 1, name)
            for name, line, _ in src.macros()
            if USE.fullmatch(name + "(") and name not in used]


def check(root):
    found = accesses(root)
    errors = unused(root, found)
    known = set()
    for path in source.files(root, ["src"], (".c", ".h", ".S")):
        src = source.source_of(root, path)
        known.update(re.findall(r"\b([A-Za-z_]\w*)\s*\(", src.code_text))
        known.update(name for name, _, _ in src.macros())
        if path == ATOMIC_H:
            continue
        for m in RAW.finditer(src.code_text):
            line = src.code_text.count("\n", 0, m.start()) + 1
            errors.append("%s:%d: %s() outside base/atomic.h"
                          % (path, line, m.group(1)))
        for m in FOREIGN_USE.finditer(src.code_text):
            if path != FOREIGN_H or m.group(1) not in FOREIGN:
                line = src.code_text.count("\n", 0, m.start()) + 1
                errors.append("%s:%d: %s() outside %s, or of no known order"
                              % (path, line, m.group(1), FOREIGN_H))
    sides = {}
    for a in found:
        where = "%s:%d: %s" % (a.path, a.line, a.what)
        if a.again:
            errors.append(where + ": `%s' is said where %s is declared"
                          % (a.comment, a.field))
        if not a.comment and not a.declared and a.order == "relaxed":
            errors.append(where + " without a reason")
        if not a.pairs and a.order in SIDES:
            errors.append(where + " without "
                          "`// [name] with function(): reason`")
        if a.unclear:
            errors.append(where + ": which pair of its statement is its own?")
        for name, partners, _ in a.pairs:
            for side in a.sides():
                sides.setdefault(name, {}).setdefault(side, where)
            for partner in re.findall(r"(\w+)\(\)", partners):
                if partner not in known:
                    errors.append("%s: there is no %s()" % (where, partner))
    for name, places in sorted(sides.items()):
        for side in ("acquire", "release"):
            if side not in places:
                other = next(iter(places.values()))
                errors.append("%s: [%s] has no %s side"
                              % (other, name, side))
    return errors
