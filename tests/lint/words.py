"""Words that must not stand in the sources."""

import os
import re

import source

WAITING = re.compile(r"pthread_(mutex|spin|cond|rwlock|barrier)_?\w*"
                     r"|sched_yield|nanosleep|usleep|futex|ck_spinlock"
                     r"|sem_wait|__builtin_ia32_pause")
# Split, so that this file does not hold them.
OPEN = re.compile(r"\b(" + "|".join(["TO" "DO", "FIX" "ME", "X" "XX"]) + r")\b")
MACHINE = re.compile(r"(?<![\w.*}])/(work|home|farm|root)/")
# Data of a header are reached without the GOT, and no name of the program's.
BRACES = r"\{(?:[^{}]|\{[^{}]*\})*\}"
EXTERN = re.compile(r"^extern\b(?:[^;{]|%s)*;" % BRACES, re.M)
HIDDEN = re.compile(r"\b(internal|exported|weak_import)\b|hidden")
TEXT_SUFFIXES = source.CODE_SUFFIXES + (
    ".sh", ".py", ".md", ".map", ".in", ".txt", ".yml", ".pml", ".mk", ".hpp",
    ".rs", ".toml", ".spec", "APKBUILD", "control", "rules", "copyright")
TEXT_FOLDERS = ["src", "include", "tests", "stress", "docs", ".ci",
                "packaging", "debian", "contrib"]
SINGLE_FILES = ["Makefile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md",
                "SECURITY.md", ".ci/run"]


def search(root, paths, pattern, what):
    errors = []
    for path in paths:
        with open(os.path.join(root, path), encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                m = pattern.search(line)
                if m:
                    errors.append("%s:%d: %s: %s"
                                  % (path, number, what, m.group()))
    return errors


def texts(root):
    paths = source.files(root, TEXT_FOLDERS, TEXT_SUFFIXES)
    return paths + [p for p in SINGLE_FILES
                    if os.path.exists(os.path.join(root, p))]


def check_waiting(root):
    """Nothing in the library waits; system/ alone may sleep and wake. The
    command is a program of its own."""
    paths = [p for p in source.files(root, ["src"])
             if not p.startswith(("src/system/", "src/command/"))]
    return search(root, paths, WAITING, "a word of waiting")


def check_data(root):
    """What headers declare is hidden."""
    errors = []
    for path in source.files(root, ["src"], (".h",)):
        src = source.source_of(root, path)
        for m in EXTERN.finditer(src.text):
            head = re.sub(BRACES + r"|\[[^;]*\]|_Atomic\([^;]*?\)(?= )", "",
                          m.group())
            if not HIDDEN.search(head) and "(" not in head:
                line = src.text.count("\n", 0, m.start()) + 1
                errors.append("%s:%d: data without `internal`" % (path, line))
    return errors


def check_marks(root):
    """No open ends, no paths of some machine, no blanks at line ends."""
    paths = texts(root)
    return (search(root, paths, OPEN, "an open end") +
            search(root, paths, MACHINE, "a path of some machine") +
            search(root, paths, re.compile(r"[ \t]+$"), "trailing blanks"))
