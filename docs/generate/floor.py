#!/usr/bin/env python3
"""What pages alone keep resident when most of a heap dies at random.

Usage: floor.py

Prints for each profile of stress/memory/profiles/ the resident memory over live
bytes of a heap that was packed without a gap, in the size classes of
src/slab/size_class.h, before DEAD of its objects died at random: a page stays
where one of the objects that touch it lives. No malloc that leaves objects where
they are, and gives back all the pages that it can, comes below that.
"""

import glob
import math
import os
import sys

sys.dont_write_bytecode = True

import sizes  # noqa: E402

DEAD = 0.9


def resident(size, dead):
    """Bytes of pages that an object's room keeps, in the mean."""
    page = sizes.PAGE
    if size % page == 0:
        return size * (1 - dead)
    if size > page:
        inside = 1 - page / size    # pages that one object has alone
        return size * (inside * (1 - dead) +
                       (1 - inside) * (1 - dead ** 2))
    touching = page / size + (1 if page % size else 0)
    return size * (1 - dead ** touching)


def class_of(size, table):
    fitting = [row[0] for row in table if row[0] >= size]
    return min(fitting) if fitting else sizes.PAGE * math.ceil(
        size / sizes.PAGE)


def floor(heap, table, dead):
    kept = sum(nr * resident(class_of(size, table), dead)
               for size, nr in heap.items())
    return kept / (sizes.live_size(heap) * (1 - dead))


def main():
    table = sizes.present(sizes.ROOT)
    print("| heap | floor |\n|---|---:|")
    for path in sorted(glob.glob(os.path.join(
            sizes.ROOT, "stress/memory/profiles/*.txt"))):
        name = os.path.basename(path)[:-len(".txt")]
        heap, _ = sizes.profile(path)
        print("| profile %s | %.2f |" % (name, floor(heap, table, DEAD)))


if __name__ == "__main__":
    main()
