#!/usr/bin/env python3
"""A corpus is a text file, one input a line; a fuzzer wants one file each.

Usage: corpus.py unpack FILE DIRECTORY
       corpus.py pack DIRECTORY FILE

A line is the input's bytes as hexadecimal digits, or ' and the input itself
where that is plain text. Equal directories give equal files.
"""

import hashlib
import os
import sys


def decode(line):
    return line[1:].encode("ascii") if line.startswith("'") else \
        bytes.fromhex(line)


def encode(data):
    plain = all(0x20 <= byte < 0x7f for byte in data) and \
        not data.endswith(b" ")
    return "'" + data.decode("ascii") if plain else data.hex()


def unpack(path, directory):
    os.makedirs(directory, exist_ok=True)
    with open(path, encoding="ascii") as f:
        for line in f:
            data = decode(line.rstrip("\n"))
            name = hashlib.sha1(data).hexdigest()
            with open(os.path.join(directory, name), "wb") as out:
                out.write(data)


def pack(directory, path):
    lines = set()
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), "rb") as f:
            lines.add(encode(f.read()))
    with open(path, "w", encoding="ascii") as out:
        out.writelines(line + "\n" for line in sorted(lines))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("pack", "unpack"):
        sys.exit(__doc__)
    {"pack": pack, "unpack": unpack}[sys.argv[1]](*sys.argv[2:])
