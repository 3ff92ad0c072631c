#!/usr/bin/env python3
"""Checks the house rules.

Usage: lint.py [--root DIRECTORY] [RULE...]
       lint.py --list

Without a rule: all of them. Prints one line for each breach; exit status 1
if there was one.
"""

import os
import sys

sys.dont_write_bytecode = True

import atomics  # noqa: E402
import layers  # noqa: E402
import shape  # noqa: E402
import tools  # noqa: E402
import words  # noqa: E402

RULES = {
    "layers": layers.check,
    "atomics": atomics.check,
    "waiting": words.check_waiting,
    "data": words.check_data,
    "shape": shape.check,
    "marks": words.check_marks,
    "shell": tools.check_shell,
    "format": tools.check_format,
    "docs": tools.check_docs,
    "faults": tools.check_faults,
}


def main(arguments):
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    if arguments == ["--list"]:
        print("\n".join(RULES))
        return 0
    if arguments[:1] == ["--root"]:
        root = arguments[1]
        arguments = arguments[2:]
    nr_errors = 0
    for rule in arguments or RULES:
        errors = RULES[rule](os.path.abspath(root))
        nr_errors += len(errors)
        for error in errors:
            print("%s: %s" % (rule, error))
    return 1 if nr_errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
