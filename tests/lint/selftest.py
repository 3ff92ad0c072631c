#!/usr/bin/env python3
"""Each lint rule must accept a clean tree and reject a bad snippet.

Usage: selftest.py [RULE...]
       selftest.py --list
"""

import os
import sys
import tempfile

sys.dont_write_bytecode = True

import lint  # noqa: E402
import source  # noqa: E402

# A small tree without a breach of any rule.
CLEAN = {
    "src/base/atomic.h": "/* layer 0.1: atomic: orders */\n"
                         "#define load_acquire(p) atomic_load(p)\n"
                         "#define add_seq(p, n) atomic_add(p, n)\n",
    "src/low/low.h": "/* layer 1.1: low: below */\n"
                     "#include \"base/atomic.h\"\n"
                     "extern _Atomic(int) hint[2] internal;\n"
                     "/* atomic: hint; what was seen last */\n"
                     "extern _Atomic(int) seen[2 * (1)], nr_seen internal;\n"
                     "int low_get(void);\n",
    "src/low/low.c": "/* layer 1.1: low: below */\n"
                     "#include \"low/low.h\"\n"
                     "\n"
                     "int low_get(void)\n"
                     "{\n"
                     "\t// [word] with low_put(): the content\n"
                     "\tif (load_acquire(&word))\n"
                     "\t\treturn load_relaxed(&hint); // hint\n"
                     "\treturn load_relaxed(&dep); // [dep] with"
                     " low_put(): by address\n"
                     "}\n"
                     "\n"
                     "void low_put(void)\n"
                     "{\n"
                     "\tstore_release(&word, 1); // [word] with low_get():"
                     " the content\n"
                     "\t// [dep] with low_get(): by address\n"
                     "\tstore_release(&dep,\n"
                     "\t\t      1);\n"
                     "\t// [both] with low_two(): the copy\n"
                     "\tstore_release(&both, load_relaxed(&n)); // const\n"
                     "}\n"
                     "\n"
                     "int low_two(void)\n"
                     "{\n"
                     "\tstore_relaxed(&x->seen[1], 1);\n"
                     "\tstore_relaxed(&nr_seen, 1);\n"
                     "\t// [both] with low_put(): the copy\n"
                     "\t// [sum] with low_two(): the sum\n"
                     "\treturn load_acquire(&both) + add_seq(&sum, 1);\n"
                     "}\n",
    "src/low/low_x86_64.h": "/* layer 1.1: low: in assembly */\n"
                            "\t/* [table] with high_put(): zeros */\n",
    "src/high/high.c": "/* layer 2.1: high: above */\n"
                       "#include \"low/low.h\"\n"
                       "#include \"lanemalloc.h\"\n"
                       "void high_put(void)\n"
                       "{\n"
                       "\tstore_release(&t, 1); // [table] with low_get():"
                       " zeros\n"
                       "}\n",
    "src/system/config.h": "/* layer 1.2: config: options */\n"
                           "#define CONFIG_CHOICE_kind(X) X(A, \"a\")\n"
                           "#define CONFIG_OPTIONS(X) \\\n"
                           "\tX(one, BOOL, 0, 0, 1, \"help\") \\\n"
                           "\tX(two, CHOICE_kind, A, 0, 0, \"help\") \\\n"
                           "\tX(three, NUMBER, 5, 0, (uint64_t)1 << 30,"
                           " \"he\" \\\n"
                           "\t  \"lp\")\n"
                           "\n",
    "src/system/linux.c": "/* layer 1.3: system: may sleep in a futex */\n",
    "include/lanemalloc.h": "#define LANEMALLOC_STATS_KINDS(GAUGE, COUNTER)"
                            " \\\n"
                            "\tGAUGE(live_size, \"bytes\", \"held\")\n"
                            "\n"
                            "#define LANEMALLOC_CLASS_STATS(X) \\\n"
                            "\tX(nr_live, \"\", \"of this size\")\n"
                            "\n"
                            "#define LANEMALLOC_CPU_STATS_KINDS(GAUGE,"
                            " COUNTER) \\\n"
                            "\tCOUNTER(nr_drains, \"\", \"of this CPU\")\n"
                            "\n",
    "docs/man/README.md": "# Pages\n",
    "tests/run.sh": "#!/bin/bash\necho \"$1\"\n",
    "stress/x/control/faults.txt": "# faults\n\n[name]\n"
                                   "low_two: add_seq(&sum, 1) =>\n"
                                   "\tadd_seq(&sum, 2)\n"
                                   "low/low.c low_two: return =>\n",
    "docs/page.md": "# A page\n",
    "Makefile": "all:\n",
}

LOW = CLEAN["src/low/low.c"]


def changed(path, old, new):
    assert old in CLEAN[path], old
    return (path, CLEAN[path].replace(old, new))


# rule: [(what is wrong, path, text)]
BAD = {
    "layers": [
        ("no first line",) + changed("src/low/low.h", "/* layer 1.1: low",
                                     "/* low"),
        ("an include upwards", "src/low/up.c",
         '/* layer 1.1: up: x */\n#include "high/high.h"\n'),
        ("an include upwards inside a folder", "src/low/up.h",
         '/* layer 1.1: up: x */\n#include "low/more.h"\n'),
        ("a guard of command/", "src/low/guard.h",
         '/* layer 1.1: guard: x */\n#ifndef LANE_COMMAND_GUARD_H\n'),
        ("a guard without its prefix", "src/command/guard.h",
         '/* layer 7.1: guard: x */\n#ifndef LANE_GUARD_H\n'),
        ("a file that is not there", "src/low/none.c",
         '/* layer 1.1: none: x */\n#include "low/missing.h"\n'),
    ],
    "atomics": [
        ("an acquire without a comment",) + changed(
            "src/low/low.c", "\t// [word] with low_put(): the content\n", ""),
        ("a comment without a reason",) + changed(
            "src/low/low.c", "low_get(): the content", "low_get()"),
        ("a partner that is not a function",) + changed(
            "src/low/low.c", "with low_get(): the", "with itself: the"),
        ("a partner that does not exist",) + changed(
            "src/low/low.c", "with low_get(): the", "with low_gone(): the"),
        ("a pair with one side",) + changed(
            "src/low/low.c", "[word] with low_get()", "[wrod] with low_get()"),
        ("a dependency without its load",) + changed(
            "src/low/low.c", "// [dep] with low_put(): by address", "// hint"),
        ("an order whose comment belongs to the line before", "src/low/x.c",
         "/* layer 1.1: x: x */\nvoid x(void)\n{\n"
         "\tstore_release(&a, 1); // [word] with low_get(): it\n"
         "\tstore_release(&b, 1);\n}\n"),
        ("a relaxed access without a reason",) + changed(
            "src/low/low.c", "; // hint", ";"),
        ("a reason that the declaration gives",) + changed(
            "src/low/low.c", "&nr_seen, 1);", "&nr_seen, 1); // hint"),
        ("a relaxed access that its declaration gives no reason",) + changed(
            "src/low/low.h", "atomic: hint; what", "atomic: what"),
        ("a relaxed access of which two declarations differ", "src/low/x.h",
         "/* layer 1.1: x: x */\n"
         "struct x { _Atomic(int) seen; /* atomic: state */ };\n"),
        ("a relaxed access whose reason is a neighbour's",) + changed(
            "src/low/low.c", "; // const", ";"),
        ("two orders and one pair",) + changed(
            "src/low/low.c", "\t// [sum] with low_two(): the sum\n", ""),
        ("two orders and three pairs",) + changed(
            "src/low/low.c", "\t// [sum] with",
            "\t// [word] with low_put(): the content\n\t// [sum] with"),
        ("an operation that nobody uses",) + changed(
            "src/base/atomic.h", "#define add_seq",
            "#define add_relaxed(p) atomic_add(p)\n#define add_seq"),
        ("a raw builtin", "src/low/x.c",
         "/* layer 1.1: x: x */\nint x = __atomic_load_n(&y, 0);\n"),
        ("a raw C11 access", "src/low/x.c",
         "/* layer 1.1: x: x */\nint x = atomic_load(&y);\n"),
        ("a library's call out of its file", "src/low/x.c",
         "/* layer 1.1: x: x */\nint x = ck_pr_load_ptr(&y);\n"),
        ("a library's call of no known order", "src/slab/slab_stack.h",
         "/* layer 1.1: x: x */\nint x = uatomic_xchg(&y, 1);\n"),
        ("a library's call without a pair", "src/slab/slab_stack.h",
         "/* layer 1.1: x: x */\nvoid x(void)\n{\n"
         "\tck_stack_push_upmc(&y, z);\n}\n"),
        ("a fence without a pair", "src/low/x.c",
         "/* layer 1.1: x: x */\nvoid x(void)\n{\n\tfence_acquire();\n}\n"),
        ("a raw sync", "src/low/x.c",
         "/* layer 1.1: x: x */\nint x = __sync_fetch_and_add(&y, 1);\n"),
    ],
    "waiting": [
        (word, "src/low/x.c", "/* layer 1.1: x: x */\nint y = %s(x);\n" % word)
        for word in ("pthread_mutex_lock", "pthread_spin_lock", "sched_yield",
                     "nanosleep", "usleep", "futex")
    ],
    "data": [
        (what, "src/low/low.h", "/* layer 1.1: low: x */\nextern %s;\n" % text)
        for what, text in (("a variable", "int x"),
                           ("an array", "_Atomic(uint8_t) x[2 * (3)]"),
                           ("a pointer", "struct x *_Atomic x"),
                           ("a struct", "struct y { int (*z)(void); } x"))
    ],
    "shape": [
        ("a long file", "src/low/x.c", "int x;\n" * 601),
        ("a long function", "src/low/x.c",
         "int x(void)\n{\n" + "\ty();\n" * 61 + "}\n"),
        ("a long line", "src/low/x.c", "\t" * 10 + "x\n"),
        ("a long line in a test", "tests/test_x.c", "x" * 81 + "\n"),
        ("no newline at the end", "src/low/x.c", "int x;"),
    ],
    "marks": [
        ("an open end", "src/low/x.c", "// TO" "DO: more\n"),
        ("an open end in a page", "docs/x.md", "FIX" "ME\n"),
        ("a path of a machine", "tests/x.sh", "ls /ho" "me/me\n"),
        ("another path of a machine", "Makefile", "all:\n\tls /wo" "rk/x\n"),
        ("trailing blanks", "src/low/x.c", "int x; \n"),
    ],
    "shell": [
        ("an unquoted word", "tests/x.sh", "#!/bin/bash\nrm $1\n"),
        ("a syntax error", "stress/x.sh", "#!/bin/bash\nif true\n"),
    ],
    "format": [
        ("blanks for a tab", "src/low/x.c",
         "void x(void)\n{\n        y();\n}\n"),
        ("a line that ends early", "src/low/x.h",
         "int x(int a,\n      int b);\n"),
        ("another's braces", "include/lanemalloc.h", "struct x\n{\n};\n"),
    ],
    "faults": [
        (what, "stress/x/control/faults.txt", "[name]\n" + text + "\n")
        for what, text in (
            ("a function that is gone", "low_gone: return =>"),
            ("an expression that is gone", "low_get: add_seq =>"),
            ("an expression that stands twice", "low_get: return =>"),
            ("half of a word", "low_two: urn load =>"),
            ("a fault without a change", ""),
            ("a line that is no change", "low_two add_seq"))
    ],
    "docs": [
        ("a changed option",) + changed(
            "src/system/config.h", "X(one, BOOL, 0", "X(one, BOOL, 1"),
        ("a changed statistic",) + changed(
            "include/lanemalloc.h", "held", "kept"),
        ("a changed order",) + changed(
            "src/low/low.c", "): the content", "): something else"),
        ("a page edited by hand", "docs/options.md", "# Options\n"),
    ],
}

# rule: [(page, line)] that the clean tree's pages have: of two accesses in a
# statement each stands on its own side, in its own pair.
MADE = {
    "docs": [
        ("docs/ordering.md",
         "| `both` | low/low.c:low_two (load_acquire) "
         "| low/low.c:low_put (store_release) | the copy |"),
        ("docs/ordering.md",
         "| `sum` | low/low.c:low_two (add_seq) "
         "| low/low.c:low_two (add_seq) | the sum |"),
        ("docs/ordering.md",
         "| `dep` | low/low.c:low_get (load_relaxed) "
         "| low/low.c:low_put (store_release) | by address |"),
    ],
}


def write(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as f:
        f.write(text)


def make_tree(root, rule):
    for path, text in CLEAN.items():
        write(root, path, text)
    if rule == "docs":
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                              "../../docs/generate/generate.py")
        lint.tools.run(root, ["python3", script, "--root", root])
    if rule == "format":
        lint.tools.clang_format(root, "-i")


def problems(rule):
    check = lint.RULES[rule]
    with tempfile.TemporaryDirectory() as root:
        make_tree(root, rule)
        found = ["clean tree: " + error for error in check(root)]
        found += ["%s lacks: %s" % (path, line)
                  for path, line in MADE.get(rule, ())
                  if line not in source.text_of(root, path).split("\n")]
    for what, path, text in BAD[rule]:
        with tempfile.TemporaryDirectory() as root:
            make_tree(root, rule)
            write(root, path, text)
            if not check(root):
                found.append("was not rejected: " + what)
    return found


def main(arguments):
    if arguments == ["--list"]:
        print("\n".join(lint.RULES))
        return 0
    nr_problems = 0
    for rule in arguments or lint.RULES:
        for problem in problems(rule):
            print("%s: %s" % (rule, problem))
            nr_problems += 1
    return 1 if nr_problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
