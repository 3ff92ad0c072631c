"""One run of one cell under one allocator, as a record of plain data.

measure(1) (stress/measure.c) stands between this process and a load: the
kernel counts the peak of the process that called exec to the program it
becomes, and Python's own would hide that of a small load.
"""

import os
import re
import signal
import subprocess
import tempfile
import time


def environment():
    """Nothing of the caller's that an allocator or a loader would read."""
    kept = ("HOME", "TMPDIR", "USER", "LOGNAME")
    found = {key: os.environ[key] for key in kept if key in os.environ}
    found["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:" \
        "/sbin:/bin"
    found["LC_ALL"] = "C.UTF-8"
    return found


class Runner:
    """measure: path of measure(1); scale, verify: for the loads."""

    def __init__(self, measure, scale, verify):
        self.measure = measure
        self.scale = scale
        self.verify = verify

    def run(self, cell, allocator, turn):
        record = {"round": turn, "load": cell.load, "kind": cell.kind,
                  "threads": cell.threads, "allocator": allocator.name}
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="lane-bench.") as folder:
            path = os.path.join(folder, "written")
            command, extra = self.command(cell, allocator, turn, path)
            status, output, errors = execute(
                command, {**environment(), **extra}, cell.limit)
            record.update(judge(cell, status, output, errors))
            if record["status"] == "ok":
                self.look(cell, allocator, path, record)
        record["took"] = round(time.monotonic() - start, 4)
        return record

    def look(self, cell, allocator, path, record):
        """What stands in the file that the command has written."""
        record.update(costs(path, record["values"]))

    def command(self, cell, allocator, turn, cost):
        if cell.kind == "program":
            return [cell.path], {"LANEMALLOC": allocator.path or "",
                                 "BENCH_SCALE": "%g" % self.scale,
                                 "BENCH_MEASURE": self.measure}
        command = self.load(self.measure, cell, allocator, turn, cost)
        return command + (["--verify"] if self.verify else []), {}

    def load(self, program, cell, allocator, turn, path):
        """The load under a program that looks on, and writes into a file."""
        return [program, path, allocator.path or "-", cell.path, cell.load,
                "--threads", str(cell.threads), "--scale", "%g" % self.scale,
                "--seed", str(turn + 1)]


def execute(command, variables, limit):
    """(status, output, errors); status None: stopped after `limit` s."""
    with subprocess.Popen(command, env=variables, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE,
                          start_new_session=True) as child:
        try:
            output, errors = child.communicate(timeout=limit)
            return child.returncode, output, errors
        except subprocess.TimeoutExpired:
            output, errors = end(child)
            return None, output, errors
        except BaseException:
            end(child)
            raise


def end(child):
    """A script ends its servers at a TERM; what does not end is killed."""
    for number, patience in ((signal.SIGTERM, 40), (signal.SIGKILL, 40)):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            pass
        try:
            return child.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            continue
    return "", ""


def judge(cell, status, output, errors):
    """The status of a run, why it is not "ok", and the values of its line."""
    if status is None:
        return {"status": "timeout", "why": "not ended after %d s"
                % cell.limit}
    if status:
        return {"status": "failed", "why": reason(status, output, errors)}
    if "cannot be preloaded" in errors:
        return {"status": "failed", "why": last_line(errors)}
    values = parse(cell, output)
    if not values or not values.get("seconds", 0) > 0:
        return {"status": "failed", "why": "no figures in its output: "
                + (last_line(output) or "none at all")}
    return {"status": "ok", "values": values}


def parse(cell, output):
    """{key: number} of the line `NAME key number key number ...`."""
    for line in reversed(output.splitlines()):
        words = line.split()
        if len(words) < 3 or words[0] != cell.load or len(words) % 2 == 0:
            continue
        try:
            return {key: float(number)
                    for key, number in zip(words[1::2], words[2::2])}
        except ValueError:
            continue
    return None


def reason(status, output, errors):
    text = last_line(errors)
    for line in output.splitlines():
        if line.startswith("not ok "):
            text = line[len("not ok "):]
    return "%s%s" % (end_of(status), ": " + text if text else "")


def end_of(status):
    number = -status if status < 0 else status - 128
    try:
        return "killed by " + signal.Signals(number).name
    except ValueError:
        return "status %d" % status


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"\s+", " ", lines[-1])[:200] if lines else ""


def measured(path):
    """Seconds, CPU seconds, MiB at the peak: what measure(1) has written."""
    with open(path, encoding="utf-8") as f:
        return [float(word) for word in f.read().split()]


def costs(path, values):
    """CPU time and memory: what the line says goes before what the kernel
    counted, since a load's rss_kib is its point, and a script's processes
    are not the measured server."""
    cpu = rss = None
    if os.path.exists(path):
        _, cpu, mib = measured(path)
        rss = mib * 1024
    return {"cpu": values.get("cpu_seconds", cpu),
            "rss_kib": values.get("rss_kib", rss)}
