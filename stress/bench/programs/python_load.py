"""An allocation-heavy program in Python: ROUNDS of everyday work."""

import collections
import json
import random
import sys


class Order:
    def __init__(self, number, customer, lines):
        self.number = number
        self.customer = customer
        self.lines = lines

    def total(self):
        return sum(price * amount for _, price, amount in self.lines)


class Node:
    __slots__ = ("key", "left", "right")

    def __init__(self, key):
        self.key = key
        self.left = self.right = None


def orders(chance, number):
    """Objects of objects, by way of JSON and back."""
    made = [Order(i, "customer %d" % chance.randrange(500),
                  [("article %d" % chance.randrange(900),
                    chance.randrange(1, 10**6), chance.randrange(1, 9))
                   for _ in range(chance.randrange(1, 8))])
            for i in range(number)]
    text = json.dumps([vars(order) for order in made])
    again = [Order(**fields) for fields in json.loads(text)]
    totals = collections.defaultdict(int)
    for order in again:
        totals[order.customer] += order.total()
    return sorted(totals.items(), key=lambda pair: -pair[1])[0][1]


def words(chance, number):
    """Strings that are split, joined, counted and replaced."""
    text = " ".join("".join(chance.choices("etaoinshr", k=chance.randrange(
        1, 12))) for _ in range(number))
    counts = collections.Counter(text.split())
    lines = [text[i:i + 71].replace("e", "<e>").upper().split(">")
             for i in range(0, len(text), 71)]
    return len(counts) + sum(map(len, lines))


def tree(chance, number):
    """A search tree; each step back in it frees its nodes one by one."""
    root = Node(chance.random())
    for _ in range(number):
        key, at = chance.random(), root
        while True:
            side = "left" if key < at.key else "right"
            below = getattr(at, side)
            if below is None:
                setattr(at, side, Node(key))
                break
            at = below
    depth, level = 0, [root]
    while level:
        depth += 1
        level = [below for node in level
                 for below in (node.left, node.right) if below]
    return depth


def table(chance, number):
    """A dict that grows and shrinks, of tuples, floats and big integers."""
    rows = {}
    for i in range(number):
        rows[chance.randrange(number)] = (i, float(i), i ** 9, str(i))
        if i % 3 == 0:
            rows.pop(chance.randrange(number), None)
    ordered = sorted(rows.values(), key=lambda row: row[2] % 1009)
    return sum(len(row[3]) for row in ordered[::2])


def main(rounds):
    checked = 0
    for number in range(rounds):
        chance = random.Random(number)
        checked += orders(chance, 2500)
        checked += words(chance, 22000)
        checked += tree(chance, 4500)
        checked += table(chance, 22000)
    print(checked)


main(int(sys.argv[1]))
