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
    """Nothing in the library waits; system/ alone may sleep and wake."""
    paths = [p for p in source.files(root, ["src"])
             if not p.startswith("src/system/")]
    return search(root, paths, WAITING, "a word of waiting")


def check_marks(root):
    """No open ends, no paths of some machine, no blanks at line ends."""
    paths = texts(root)
    return (search(root, paths, OPEN, "an open end") +
            search(root, paths, MACHINE, "a path of some machine") +
            search(root, paths, re.compile(r"[ \t]+$"), "trailing blanks"))
