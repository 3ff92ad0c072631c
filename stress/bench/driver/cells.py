"""What is measured: each load and program, at each number of threads.

A program is a script in programs/, with comment lines that are data (see
tests/lib.sh); `# about:` says what it does, `# threads: N` how many threads
the measured program has, `# quick` that it belongs to the quick form.
"""

import collections
import fnmatch
import glob
import os
import re
import subprocess

from driver import Fault

# kind: load, latency, worst, churn, idle or program
Cell = collections.namedtuple("Cell", "load kind threads path about limit")

# The kinds that the aims speak of are told by their names.
KINDS = {"latency": "latency", "worst": "worst", "idle": "idle", "churn": "churn"}
THREADS = {
    "full": {"load": (1, 2, 8, 64, 512), "churn": (1, 2, 8, 64, 512),
             "latency": (2, 32, 256), "worst": (1, 8, 256), "idle": (1, 512)},
    "quick": {"load": (1, 8, 512), "churn": (1, 8, 512),
              "latency": (256,), "worst": (256,), "idle": (1, 512)},
}


def kind_of(name):
    return KINDS.get(name, "load")


def list_loads(program):
    """[(name, parallel, about)] as `load --list` tells."""
    try:
        done = subprocess.run([program, "--list"], text=True,
                              capture_output=True, check=False, timeout=60)
    except OSError as error:
        raise Fault("cannot run %s: %s" % (program, error.strerror))
    lines = [line.split(None, 2) for line in done.stdout.splitlines()]
    if done.returncode or not lines:
        raise Fault("%s --list fails" % program)
    for words in lines:
        if len(words) < 2 or words[1] not in ("parallel", "single"):
            raise Fault("%s --list: %s?" % (program, " ".join(words)))
    return [(words[0], words[1] == "parallel", " ".join(words[2:]))
            for words in lines]


def load_cells(program, form, threads, limit):
    cells = []
    for name, parallel, about in list_loads(program):
        kind = kind_of(name)
        numbers = threads or THREADS[form][kind]
        for number in numbers if parallel else (1,):
            cells.append(Cell(name, kind, number, program, about, limit))
    return cells


def headers(path):
    """{key: text} of a script's comments `# key: text` and `# key`."""
    found = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            m = re.match(r"# ([a-z]+)(?:: *(.*))?$", line)
            if m:
                found[m.group(1)] = m.group(2) or ""
            elif not line.startswith("#"):
                break
    return found


def programs(folder):
    """[(path, headers)], by name."""
    paths = sorted(glob.glob(os.path.join(folder, "*.sh")))
    found = [(path, headers(path)) for path in paths]
    return [(path, head) for path, head in found if "about" in head]


def program_cells(folder, form):
    cells = []
    for path, head in programs(folder):
        if form == "quick" and "quick" not in head:
            continue
        name = os.path.basename(path)[:-len(".sh")]
        cells.append(Cell(name, "program", int(head.get("threads", 1)), path,
                          head["about"], int(head["limit"]) + 30))
    return cells


def select(cells, patterns):
    """Those whose name matches one of the patterns, or all."""
    if not patterns:
        return cells
    chosen = [cell for cell in cells
              if any(fnmatch.fnmatch(cell.load, pattern) or
                     pattern in cell.load for pattern in patterns)]
    if not chosen:
        raise Fault("no load matches %s" % " ".join(patterns))
    return chosen
