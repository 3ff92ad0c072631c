#!/usr/bin/env python3
"""lanemalloc profile, leaks, diff and report: the sampler is turned on and off
from outside, and the stacks are those that allocate, as they allocate.
"""

import gzip
import os
import re
import signal
import stat
import subprocess
import time
import xml.etree.ElementTree as tree

import proto
from tool import (COMMAND, check, command, environment, fail, goes_off,
                  is_filtered, main, start, stats, work)

CONF = "profile_interval=4096"


def profile(child, name, *options):
    path = os.path.join(work, name)
    command("profile", child.pid, "-o", path, *options)
    with gzip.open(path) as f:  # checks length and CRC
        check(b"alloc_space" in f.read(), "no profile")
    return path


def leaking(text):
    """{function: bytes in use, blocks} of `leaks`."""
    found = {}
    for m in re.finditer(r"^ *([\d.]+) (\w+) .*?(\d+) blocks? of.*\n *(\w+)\+",
                         text, re.M):
        size = float(m.group(1)) * {"B": 1, "KiB": 1 << 10,
                                    "MiB": 1 << 20, "GiB": 1 << 30}[m.group(2)]
        found[m.group(4)] = size, int(m.group(3))
    return found


def tells(report, title, function):
    """A finding of that title, and a stack that begins there."""
    check(re.search(r"%s\n( {14}\S.*\n)+? {14}%s\+"
                    % (title, function), report),
          "%s of %s: %s" % (title, function, report))


# So that 200 of the small ones are sampled.
BLOCKS_LEAST = 8000


def profile_of(child, name, least):
    """With so many of the large ones in use; a busy machine takes longer."""
    for seconds in (1, 2, 4, 8, 16, 32):
        path = profile(child, name, "-s", seconds)
        found = leaking(command("leaks", path).stdout)
        if found.get("keeps_much", (0, 0))[1] > least:
            break
    return path


def test_profile():
    child = start("leak", conf=CONF)
    path = profile_of(child, "a.pb.gz", BLOCKS_LEAST)
    goes_off(child)
    check(stat.S_IMODE(os.stat(path).st_mode) == 0o600, "others may read it")
    found = leaking(command("leaks", path).stdout)
    much, many = found["keeps_much"]
    little, nr = found["keeps_little"]
    check("frees_at_once" not in found or found["frees_at_once"][1] < 50,
          found)
    check(much > 1 << 20, "little was kept")
    # As many blocks of 10000 as of 100 bytes; within the sampling error.
    check(0.7 < many / nr < 1.4, "%d of the one, %d of the other"
          % (many, nr))
    check(0.9 < much / many / 10000 < 1.1, "size %f" % (much / many))
    # The same of the running process, which has grown since.
    again = leaking(command("leaks", child.pid).stdout)
    check(again["keeps_much"][0] > 0.8 * much, again)
    report = command("report", path, "-l", "100000").stdout
    tells(report, "freed at once", "frees_at_once")
    tells(report, "kept: .*", "keeps_much")
    tells(report, "size class badly", "keeps_badly")
    tells(report, "grows by realloc", "grows_by_steps")
    tells(report, "crosses CPUs: .*", "passes_on")
    for name in "keeps_much", "frees_at_once":
        check(not re.search(r"(crosses|grows) .*\n( {14}\S.*\n)+? {14}%s\+" % name,
                            report), report)
    report = command("report", child.pid, "-l", "1000").stdout
    tells(report, "size class badly", "keeps_badly")
    tells(report, "lives long among .*", "keeps_one")
    check(all(len(line) < 80 or "+0x" in line
              for line in report.split("\n")), report)
    page = os.path.join(work, "r.html")
    command("report", "--html", "-o", page, "-l", "1000", path)
    with open(page, encoding="utf-8") as f:
        text = f.read().replace("<br>", "").replace('<meta charset="utf-8">',
                                                    "")
    tree.fromstring(text.replace("<!DOCTYPE html>\n", ""))
    # Twice as much later; off and on again, the sums go on.
    second = profile_of(child, "b.pb.gz", many + 1000)
    grew = command("diff", path, second).stdout
    check(re.search(r"^\+ *[\d.]+ MiB .*\n *keeps_much\+", grew, re.M), grew)
    same = command("diff", path, path).stdout
    check("keeps" not in same, same)
    check("no stack differs" in same and "no stack" not in grew, same + grew)
    said = command("diff", path, status=2).stderr
    check(said == "lanemalloc: diff: a profile is missing: see "
          "lanemalloc diff --help\n", said)
    said = command("diff", path, path, "third", status=2).stderr
    check(said == "lanemalloc: diff: two profiles, and 'third' is one more\n",
          said)
    for wrong in (("leaks", "--most", "x"), ("leaks", "--least", "1mm"),
                  ("leaks", "--depth", "-1"), ("diff", "--most", "", path),
                  ("report", "--least", "99999999999g"),
                  ("profile", "--seconds", "x"), ("profile", "--wait", "-1"),
                  ("top", "--delay", "1s"), ("top", "--sort", "z")):
        said = command(*wrong, path, status=2).stderr
        check("lanemalloc: %s: '%s' is no" % (wrong[0], wrong[2]) in said,
              said)
    none = command("leaks", "--least", "1024g", path).stdout
    check(" blocks of about " not in none, none)


def test_same():
    """Every number that the process itself writes is seen from outside."""
    child = start("pins", "60000", conf="profile=1,profile_interval=16k,"
                  "profile_signal=10,profile_dir=" + work)
    path = os.path.join(work, "tool_heap.%d.0.pb.gz" % child.pid)
    child.send_signal(signal.SIGUSR1)
    for _ in range(1200):
        if os.path.exists(path):
            break
        time.sleep(0.05)
    outside = os.path.join(work, "outside.pb.gz")
    command("profile", "-s", "0", "-o", outside, child.pid)
    own, seen = [proto.read(gzip.open(p).read()) for p in (path, outside)]
    check(len(own.types) == 16 and own.types == seen.types[:16],
          (own.types, seen.types))
    functions = seen.functions
    own, seen = own.sums(), seen.sums()
    for name in own:
        apart = abs(own[name] - seen[name])
        # Rounded once for each stack here, once for each block there.
        check(apart <= (own[name] / 1000 if name == "pinned_space" else 0),
              "%s: %d, outside %d" % (name, own[name], seen[name]))
        check(own[name] or name in (
            "freed_within_10ms", "freed_on_other_cpu"), "no %s" % name)
    check(seen["wasted_space"] > 0, "waste")
    check({"grows_by_steps", "main"} <= functions, functions)


def test_special():
    """What is no file is written to, and never replaced."""
    child = start("leak", conf=CONF)
    pipe = os.path.join(work, "pipe")
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    profile(child, "first.pb.gz", "-s", "0.5")
    command("profile", "-s", "0", "-o", pipe, child.pid)
    said = reader.communicate(timeout=120)[0]
    check(b"alloc_space" in gzip.decompress(said), "pipe")
    check(stat.S_ISFIFO(os.stat(pipe).st_mode), "the pipe was replaced")
    check(not os.path.exists(pipe + ".part"), "a part is left")


def test_pprof():
    child = start("leak", conf=CONF)
    path = profile_of(child, "p.pb.gz", 0)
    try:
        done = subprocess.run(["go", "tool", "pprof", "-top", path],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
    except FileNotFoundError:
        print("no go: not compared with pprof")
        return
    check(re.search(r"\d+%.* keeps_much", done.stdout), done.stdout +
          done.stderr)


def test_core():
    child = start("leak", conf=CONF)
    profile_of(child, "c.pb.gz", 0)
    child.send_signal(signal.SIGSTOP)
    core = os.path.join(work, "core")
    subprocess.run(["gcore", "-o", core, str(child.pid)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    core = "%s.%d" % (core, child.pid)
    live = leaking(command("leaks", child.pid).stdout)
    dead = leaking(command("leaks", core).stdout)
    check(set(live) == set(dead) and "keeps_much" in live, (live, dead))
    path = os.path.join(work, "core.pb.gz")
    command("profile", core, "-o", path)
    check(leaking(command("leaks", path).stdout) == dead, "of the core's file")


def test_refused():
    child = start("still", "100")
    done = command("profile", "-w", "0.5", child.pid, status=1)
    check("did not notice" in done.stderr, done.stderr)
    check(not stats(child.pid)["profile_on"], "on")
    done = command("leaks", child.pid, status=1)
    check("no profile was ever on" in done.stderr, done.stderr)
    done = command("profile", "-s", "0", child.pid, status=1)
    check("no profile was ever on" in done.stderr, done.stderr)
    path = os.path.join(work, "text.heap")
    with open(path, "w", encoding="utf-8") as f:
        f.write("heap profile: 1: 2 [3: 4] @ heap_v2/524288\n")
    done = command("leaks", path, status=1)
    check("profile_form=pprof" in done.stderr, done.stderr)
    path = os.path.join(work, "none")
    with open(path, "w", encoding="utf-8") as f:
        f.write("neither the one nor the other\n")
    for what in "leaks", "report":
        check("no core file of 64 bits, and no profile" in
              command(what, path, status=1).stderr, what)
    path = os.path.join(work, "bad.pb.gz")
    with open(path, "wb") as f:
        f.write(b"\x1f\x8b\x08\x00garbage and more of it")
    command("leaks", path, status=1)
    with open(path, "wb") as f:
        f.write(b"\x0a\x04\x08\xff\xff\xff\xff" * 20)
    command("leaks", path, status=1)


def profile_begun(child, path, seconds, stderr=subprocess.DEVNULL):
    tool = subprocess.Popen([COMMAND, "profile", "-s", seconds, "-o", path,
                             str(child.pid)], env=environment(preload=False),
                            stderr=stderr)
    for _ in range(600):
        if stats(child.pid)["profile_on"]:
            return tool
        time.sleep(0.05)
    return fail("never on")


def test_interrupted():
    """It goes off, and what there is is written."""
    child = start("leak", conf=CONF)
    path = os.path.join(work, "i.pb.gz")
    tool = profile_begun(child, path, "60")
    tool.send_signal(signal.SIGINT)
    check(tool.wait(120) == 0, "status")
    goes_off(child)
    check(os.path.exists(path), "nothing written")


def test_ended():
    """A process that ends meanwhile takes its profile along."""
    child = start("leak", conf=CONF)
    path = os.path.join(work, "e.pb.gz")
    tool = profile_begun(child, path, "60", stderr=subprocess.PIPE)
    child.kill()
    said = tool.communicate(timeout=120)[1].decode()
    check(tool.returncode == 1 and "the process has ended" in said, said)
    check(not os.path.exists(path), "a file")


def test_two():
    """One is killed, which leaves nothing on; the other has it until its own
    end, longer than the first one's word lasts."""
    child = start("leak", conf=CONF)
    first, second = [os.path.join(work, n) for n in ("1.pb.gz", "2.pb.gz")]
    killed = profile_begun(child, first, "60")
    other = profile_begun(child, second, "9")
    killed.kill()
    killed.wait()
    check(other.wait(120) == 0, "status")
    check(stats(child.pid)["profile_on"], "off before the other's end")
    check(os.path.exists(second) and not os.path.exists(first), "files")
    goes_off(child)


def test_kept():
    child = start("leak", conf=CONF)
    profile(child, "k.pb.gz", "-s", "0.2", "--keep")
    time.sleep(8)
    check(stats(child.pid)["profile_on"], "not kept")
    profile(child, "o.pb.gz", "-s", "0", "--off")
    check(not stats(child.pid)["profile_on"], "not turned off")
    profile(child, "o.pb.gz", "-s", "0", "--off")
    command("profile", "--keep", "--off", child.pid, status=2)


def test_stays_on():
    """A program that does not notice keeps it, and the order is taken back."""
    child = start("still", "10", conf="profile=1,reclaimer=0,"
                  "profile_dir=" + work)
    said = command("profile", "-s", "0", "-w", "0.2", "--off", "-o",
                   os.path.join(work, "s.pb.gz"), child.pid, status=1).stderr
    check("it stays on: " in said and "did not notice" in said, said)
    check(stats(child.pid)["profile_on"], "off")


def test_empty():
    """A profile without a sample is told to be that."""
    child = start("still", "10", conf="profile=1,profile_interval=1024g,"
                  "profile_dir=" + work)
    said = command("profile", "-s", "0", "-o", os.path.join(work, "e.pb.gz"),
                   child.pid).stderr
    check(" 0 samples" in said and "it is empty" in said, said)


def test_hits():
    """A program that the caches serve: with a helper it notices as its lanes
    are emptied."""
    child = start("hit", conf=CONF)
    done = command("profile", "-w", "2", "-s", "0.5", "-o",
                   os.path.join(work, "h.pb.gz"), child.pid, status=None)
    check(done.returncode == 0 or "did not notice" in done.stderr,
          done.stderr)
    print("hits alone: %s" % done.stderr.strip())


def test_one():
    """One block, stack, sample is not several (tool.py looks at each text)."""
    paths = []
    for nr in ("1", "2"):
        child = start("still", nr, conf="profile=1,profile_interval=1")
        paths.append(os.path.join(work, nr + ".pb.gz"))
        said = command("profile", "-s", "0", child.pid, "-o", paths[-1]).stderr
        check(", one in 1 byte\n" in said, said)
    said = command("leaks", paths[1]).stdout
    check(" 1 block of about " in said, said)
    said = command("diff", *paths).stdout
    check("+1 block\n" in said, said)
    for form in ((), ("--html",)):
        said = command("report", "--least", "0", *form, child.pid).stdout
        check("stack" in said and "finding" in said, said)
    command("stats", child.pid)
    command("map", child.pid)


def test_filtered():
    """Behind a filter none is started, and one that is on is read."""
    child = start("leak", conf=CONF)
    said = command("profile", child.pid, status=1).stderr
    check("process %d is behind a seccomp filter" % child.pid in said, said)
    check(not stats(child.pid)["profile_on"], "on")
    child = start("leak", conf=CONF + ",profile=1,profile_dir=" + work)
    path = profile_of(child, "f.pb.gz", 0)
    found = leaking(command("leaks", path).stdout)
    check("keeps_much" in found, found)


FROM_OUTSIDE = (test_profile, test_special, test_pprof, test_core, test_refused,
                test_interrupted, test_ended, test_two, test_kept,
                test_stays_on, test_hits)
main(*((test_filtered,) if is_filtered() else FROM_OUTSIDE),
     test_same, test_empty, test_one)
