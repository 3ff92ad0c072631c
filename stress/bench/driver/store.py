"""The file of runs: one JSON object a line, the first one the header.

A line is complete on the disk before the next run begins, so that whatever
happens loses the run that was under way and no other.
"""

import json
import os

from driver import Fault

# What must be equal for runs to belong together.
SAME = ("form", "scale", "verify", "allocators", "loads", "machine")


class Store:
    def __init__(self, path):
        self.path = path
        self.header = None
        self.runs = []

    def exists(self):
        return os.path.exists(self.path)

    def read(self):
        """A last line without its end was being written: it is dropped."""
        try:
            with open(self.path, encoding="utf-8") as f:
                lines = f.read().split("\n")
        except OSError as error:
            raise Fault("cannot read %s: %s" % (self.path, error.strerror))
        try:
            found = [json.loads(line) for line in lines[:-1]]
        except ValueError:
            raise Fault("%s is not a file of runs" % self.path)
        if not found or "header" not in found[0]:
            raise Fault("%s has no header" % self.path)
        self.header = found[0]["header"]
        self.runs = found[1:]
        return self

    def start(self, header):
        """Runs that were there before are kept, under another name."""
        if self.exists():
            os.replace(self.path, self.path + ".old")
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        self.header = header
        self.runs = []
        self.write([{"header": header}])

    def resume(self, header):
        self.read()
        for key in SAME:
            if self.header.get(key) != json.loads(json.dumps(header[key])):
                raise Fault("%s has runs of another %s: start anew, without "
                            "--resume" % (self.path, key))
        self.write([{"header": self.header}] + self.runs)

    def write(self, lines):
        """All of it, in one step."""
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            for line in lines:
                f.write(json.dumps(line) + "\n")
            f.flush()
            os.fsync(f.fileno())
        os.replace(self.path + ".new", self.path)

    def add(self, record):
        self.runs.append(record)
        with open(self.path, "a", encoding="utf-8") as f:
            f.write(json.dumps(record) + "\n")
            f.flush()
            os.fsync(f.fileno())
