#!/usr/bin/env python3
"""The lab's judgement, without a machine: what hangs, and what has failed."""

import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import cells  # noqa: E402
import lab  # noqa: E402
import result  # noqa: E402
from watch import Watch, fair  # noqa: E402

PROGRAMS = ["test_one", "test_two"]
OK = "lab: machine 6.1 0-1 4096 0\nlab: ok test_one 1 2\n"
ALL = OK + "lab: ok test_two 1 2\nlab: end\n"
FAILED = OK + "lab: failed test_two 1 2 status 1\nlab| why\nlab: end\n"


def check(what, truth):
    if not truth:
        sys.exit("lab selftest: not so: " + what)


def good(text, why):
    cell = cells.load()[0]
    return result.read(cell, PROGRAMS, text, why, 1, "2.36").good()


def died(text, why):
    cell = cells.load()[0]
    return result.read(cell, PROGRAMS, text, why, 1,
                       "2.36").died_in_its_boot()


def check_fair():
    check("who sleeps has all the time", fair(0, 0, 1, 2) == 1)
    check("64 CPUs on 2, alone", fair(2, 62, 1, 2) == 1)
    check("one of 31 on 2 CPUs", fair(0.1, 30, 1, 2) == 0.05)
    check("ticks that wait are no work", fair(0.02, 0.1, 1, 2) > 0.8)
    check("who gets nothing has no time", fair(0, 4, 1, 2) == 0)


def check_watch():
    """It sleeps, and says nothing: soon, where it is let begin."""
    process = subprocess.Popen(["sleep", "600"])
    with tempfile.NamedTemporaryFile() as log:
        watch = Watch(process.pid, log.name)
        began = time.monotonic()
        while watch.silent <= 0.5 and time.monotonic() - began < 60:
            time.sleep(0.1)
            watch.look()
        check("a sleeper's seconds pass", watch.silent > 0.5)
        log.write(b"[ 304.7] watchdog: BUG: soft lockup")
        log.flush()
        watch.look()
        check("a kernel's words are not a program's", watch.silent > 0.5)
        log.write(b"lab: ok")
        log.flush()
        watch.look()
        check("who speaks is not silent", watch.silent == 0)
    process.kill()
    process.wait()


def near(share, settings):
    """What the judge says of that share of near memory."""
    cell = next(c for c in cells.load() if c.nodes > 1)
    cell.settings = settings
    text = ALL.replace("lab: end", "lab: line lab_numa: own local=%s%% "
                       "of 2 nodes\nlab: end" % share)
    return result.read(cell, PROGRAMS, text, "", 1, "2.36").good()


def check_near():
    check("near memory", near("95.0", ["none"]))
    check("far memory", not near("94.9", ["none"]))
    check("far without placement", near("54.7", ["conf=numa=off"]))
    check("a figure that cannot fail", not near("99.0", ["conf=numa=off"]))


def check_result():
    check("all passed", good(ALL, ""))
    check("one failed", not good(FAILED, ""))
    check("one was not heard of", not good(OK + "lab: end\n", ""))
    check("no end", not good(OK, ""))
    check("it hangs", not good(OK, "hangs"))
    check("a kernel's death before all", died("Oops: int3", ""))
    check("a death among the programs is ours", not died(OK, ""))
    check("a hang is no death", not died("", "hangs"))
    check("a setting that it cannot do is none",
          not died("lab: impossible swap=1", ""))
    check("no time is no failure", good(OK, result.NO_TIME))
    check("a failure is one then, too",
          not good(FAILED, result.NO_TIME))


class NoMirror:
    """A lab for which nothing can be fetched."""

    def kernel(self, _cell):
        lab.run_script(["false"], "kernel")


def check_unfetched():
    cell = cells.load()[0]
    check("a failure to fetch is one",
          not lab.try_cell(NoMirror(), cell, None).good())
    check("but not of a quick look",
          lab.try_cell(NoMirror(), cell, 1.0).good())


def check_aborts():
    """Those that the kernel tells of, and not a zero where it tells nothing."""
    cell = cells.load()[0]
    told = result.read(cell, PROGRAMS, ALL.replace(
        "lab: end", "lab: aborted 30 12\nlab: end"), "", 1, "2.36")
    silent = result.read(cell, PROGRAMS, ALL, "", 1, "2.36")
    check("aborts are the kernel's", told.row()[7:9] == ["30", "12"])
    check("no trace is no count", silent.row()[7:9] == ["?", "?"])


def check_moved():
    """A setting that should change something, and did not."""
    check("CPUs that were others",
          good(ALL.replace("lab: end", "lab: moved 7\nlab: end"), ""))
    for word in ("moved", "switched"):
        check("no time that CPUs " + word,
              not good(ALL.replace("lab: end", "lab: %s 0\nlab: end" % word),
                       ""))


check_fair()
check_watch()
check_result()
check_aborts()
check_near()
check_moved()
check_unfetched()
print("lab selftest: ok")
