"""What a lab machine said, judged; and the table of all.

The lines that count (guest/programs.sh, guest/init.sh write them):

    lab: machine RELEASE CPUS PAGE UID
    lab: ok NAME BEGAN ENDED
    lab: failed NAME BEGAN ENDED status N	and "lab| " in front of its output
    lab: line TEXT				of what the program printed
    lab: impossible SETTING
    lab: switched N				times that a CPU went off
    lab: moved N				times that other CPUs were allowed
    lab: aborted N M			sections, and of these in loads and storms
    lab: end
"""

import os
import re

STOPPED_EARLY = "the machine stopped early"
NO_TIME = "no time was left"
OLD_RSEQ_SIZE = 32
# Per cent of a node-bound thread's memory that must be near to it; with
# numa=off it must not, or the figure could not fail.
NEAR_LEAST = 95.0
COLUMNS = ["cell", "kernel", "CPUs", "page", "libc", "mode", "passed",
           "aborts", "in loads", "operations", "seconds", ""]


class Result:
    """One cell's row."""

    def __init__(self, cell, programs=(), libc="", seconds=0):
        self.cell, self.libc, self.seconds = cell, libc, seconds
        self.programs = [word.split("/")[0] for word in programs]
        self.release, self.cpus, self.page = "", str(cell.cpus), ""
        self.mode, self.notes = "", []
        self.passed, self.failed, self.told = [], [], []
        self.aborts, self.load_aborts = "?", "?"
        self.operations = 0
        self.came_to_end = self.unknown = False

    def impossible(self, why):
        self.notes.append(why)
        return self

    def silent(self):
        """Programs of which nothing was heard."""
        return [name for name in self.programs
                if name not in self.passed + self.failed]

    def good(self):
        if self.unknown:
            return not self.failed
        return self.came_to_end and self.passed and not self.failed \
            and not self.silent()

    def died_in_its_boot(self):
        """It ended by itself, and before the first program."""
        return not self.release and self.notes == [STOPPED_EARLY]

    def hear(self, line):
        """Takes one line of the machine's."""
        words = line.split()
        if line.startswith("lab| "):
            self.told.append("      | " + line[5:])
        elif words[1:2] == ["machine"] and len(words) >= 6:
            self.release, self.page = words[2], words[4]
        elif words[1:2] == ["ok"]:
            self.passed.append(words[2])
        elif words[1:2] == ["failed"]:
            self.failed.append(words[2])
            self.told.append("FAIL  %s [%s]  %s" % (
                words[2], self.cell.name, " ".join(words[3:])))
        elif words[1:2] == ["line"]:
            self.hear_program(line)
        elif words[1:2] == ["impossible"]:
            self.notes.append("cannot do " + words[2])
        elif words[1:2] == ["switched"]:
            self.hear_times("CPUs went off", int(words[2]))
        elif words[1:2] == ["moved"]:
            self.hear_times("allowed CPUs changed", int(words[2]))
        elif words[1:2] == ["aborted"]:
            self.aborts, self.load_aborts = words[2:4]
        elif words[1:2] == ["end"]:
            self.came_to_end = True

    def hear_times(self, what, times):
        """A setting that changed nothing has shown nothing."""
        self.notes.append("%s %d times" % (what, times))
        if not times:
            self.failed.append(what)

    def hear_rseq(self, size):
        """An area beyond the first 32 bytes puts the kernel in its newer
        mode."""
        if size and int(size[1]) > OLD_RSEQ_SIZE:
            self.notes.append("rseq of %s bytes" % size[1])

    def hear_local(self, load, share):
        self.notes.append("%s: %.1f%% local" % (load, share))
        near = "conf=numa=off" not in self.cell.settings
        if self.cell.nodes > 1 and (share >= NEAR_LEAST) != near:
            self.failed.append("local")

    def hear_program(self, line):
        mode = re.search(r"statistics; mode (\w+)", line)
        load = re.search(r"ops=(\d+)", line)
        storm = re.search(r"ok \((\d+) threads, (\d+) rounds", line)
        local = re.search(r"lab_numa: (\w+) local=(\S+)", line)
        if local:
            self.hear_local(local[1], float(local[2].rstrip("%")))
        elif mode:
            self.mode = mode[1]
        elif load:
            self.operations += int(load[1])
            self.hear_rseq(re.search(r"rseq=(\d+)", line))
        elif storm:
            self.operations += int(storm[1]) * int(storm[2])

    def tell(self):
        for line in self.told:
            print(line)
        for name in self.silent():
            print("%s  %s [%s]  was not heard of" %
                  ("skip" if self.unknown else "FAIL", name,
                   self.cell.name))
        print(table([self]).split("\n")[1], flush=True)

    def row(self):
        return [self.cell.name, self.release, self.cpus, self.page, self.libc,
                self.mode or "?",
                "%d of %d" % (len(self.passed), len(self.programs)),
                self.aborts, self.load_aborts, str(self.operations),
                "%.0f" % self.seconds, "; ".join(self.notes)]


def read(cell, programs, text, why, seconds, libc):
    """The result of a machine that said this, and was ended, or not, why."""
    found = Result(cell, programs, libc, seconds)
    for line in text.replace("\r", "").split("\n"):
        at = line.find("lab: ") if "lab: " in line else line.find("lab| ")
        if at >= 0:
            found.hear(line[at:])
    found.unknown = why == NO_TIME
    if why:
        found.notes.append(why)
    elif not found.came_to_end:
        found.notes.append(STOPPED_EARLY)
    return found


def store(folder, found):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, found.cell.name), "w",
              encoding="utf-8") as f:
        f.write("\t".join(found.row()) + "\n")


def stored(folder, chosen):
    """The last rows of these cells, as a table of docs/everywhere.md."""
    rows = [COLUMNS]
    for cell in chosen:
        path = os.path.join(folder, cell.name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                rows.append(f.read().rstrip("\n").split("\t"))
    rows.insert(1, ["---"] * len(COLUMNS))
    return "\n".join("| %s |" % " | ".join(row) for row in rows)


def table(results):
    rows = [COLUMNS] + [found.row() for found in results]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    return "\n".join("  ".join(
        cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        for row in rows)
