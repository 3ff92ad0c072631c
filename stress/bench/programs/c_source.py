"""Prints a C file of N functions, the same one every time."""

import random
import sys

HEAD = """typedef unsigned long word;
struct item { word key; double weight; char name[24]; struct item *next; };
static struct item items[512];
static word state;
"""

EXPRESSIONS = (
    "{a} * {k}u + ({b} >> {s})", "({a} ^ {b}) - {k}u", "~{a} + {b} % {k}u",
    "({a} << {s}) | ({b} & {k}u)", "items[{a} % 512].key + {b}",
    "(word)items[{b} % 512].weight + {a}", "{a} > {b} ? {a} - {b} : {k}u",
)


def expression(chance, names):
    return chance.choice(EXPRESSIONS).format(
        a=chance.choice(names), b=chance.choice(names),
        k=chance.randrange(3, 9999), s=chance.randrange(1, 31))


def statement(chance, names, depth, number):
    pad = "\t" * depth
    kind = chance.randrange(8) if depth < 4 else 7
    one = "%s%s = %s;" % (pad, chance.choice(names),
                          expression(chance, names))
    if kind == 0:
        return "%sfor (word i = 0; i < %d; i++) {\n%s\n%s}" % (
            pad, chance.randrange(2, 40),
            block(chance, names + ["i"], depth + 1, number), pad)
    if kind == 1:
        return "%sif (%s > %s) {\n%s\n%s} else {\n%s\n%s}" % (
            pad, chance.choice(names), expression(chance, names),
            block(chance, names, depth + 1, number), pad,
            block(chance, names, depth + 1, number), pad)
    if kind == 2:
        return switch(chance, names, pad)
    if kind == 3 and number:
        return "%s%s += f%d(%s, %s);" % (
            pad, chance.choice(names), chance.randrange(number),
            chance.choice(names), chance.choice(names))
    if kind == 4:
        return "%sitems[%s %% 512].weight *= %d.5;\n%s" % (
            pad, chance.choice(names), chance.randrange(99), one)
    return one


def switch(chance, names, pad):
    lines = ["%sswitch (%s %% 11) {" % (pad, chance.choice(names))]
    for case in sorted(chance.sample(range(11), chance.randrange(2, 7))):
        lines.append("%scase %d: %s = %s; break;" % (
            pad, case, chance.choice(names), expression(chance, names)))
    return "\n".join(lines + [pad + "default: break;", pad + "}"])


def block(chance, names, depth, number):
    # A counter of a loop is read only, or the loop might not end.
    written = [name for name in names if name != "i"]
    return "\n".join(statement(chance, written, depth, number)
                     for _ in range(chance.randrange(1, 4)))


def function(chance, number):
    names = ["a", "b", "c", "d"]
    body = "\n".join(statement(chance, names, 1, number)
                     for _ in range(chance.randrange(6, 14)))
    return "word f%d(word a, word b)\n{\n\tword c = state, d = %d;\n\n" \
        "%s\n\tstate = c ^ d;\n\treturn a + b;\n}\n" % (
            number, chance.randrange(1000), body)


def main(functions):
    chance = random.Random(20)
    print(HEAD)
    for number in range(functions):
        print(function(chance, number))


main(int(sys.argv[1]))
