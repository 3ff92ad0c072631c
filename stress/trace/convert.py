#!/usr/bin/env python3
"""Makes a trace of a recording.

Usage: convert.py RECORDING TRACE.xz
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import trace_form  # noqa: E402


def main(words):
    if len(words) != 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    made = trace_form.convert(trace_form.read_raw(words[0]))
    packed = trace_form.pack(made)
    with open(words[1], "wb") as f:
        f.write(packed)
    head, _ = trace_form.decode(made)
    print("%s: %d threads, %d blocks, %d events, %.1f s, %.1f MiB live at "
          "most; %d KiB" % (os.path.basename(words[1]), *head[:3],
                            head[3] / 1e6, head[4] / 2**20,
                            len(packed) >> 10))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
