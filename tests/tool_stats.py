#!/usr/bin/env python3
"""lanemalloc stats: exact of a process that stands still, and of its core;
within its error of one that runs; of garbage one line or numbers, and an end.
"""

import ctypes
import errno
import json
import os
import platform
import random
import re
import shutil
import struct
import subprocess

from tool import (BUILD, COMMAND, HEAP, SO, check, command, main, start, stats,
                  work)

NAMES = ["live_size", "live_large_size", "cached_size", "slab_free_size",
         "free_dirty_size", "free_clean_size", "purged_size", "metadata_size",
         "reserved_size", "committed_size", "budget_size", "nr_cpu_caches",
         "nr_slabs", "nr_large", "nr_refills", "nr_flushes", "nr_aborts",
         "nr_direct", "nr_remote_frees", "nr_remote_slabs", "nr_steals",
         "nr_purges", "nr_fitted_classes", "limited_size", "limit_soft_size",
         "limit_hard_size", "nr_limit_hits", "nr_pressures",
         "pressure_reason"]


def compare(child, what, apart=0):
    """`apart`: the live bytes that no class has."""
    said = json.loads(child.first)
    seen = stats(what)
    for name in NAMES:
        check(seen[name] == said[name], "%s is %d, the library says %d"
              % (name, seen[name], said[name]))
    for name in ("version", "mode", "why"):
        check(seen[name] == said[name], "%s: %s" % (name, seen[name]))
    check(seen["error_size"] == 0, "an error where nothing moves")
    check(seen["nr_odd"] == 0, "odd words")
    classes = seen["classes"]
    check(sum(c["nr_live"] * c["size"] for c in classes) +
          seen["live_large_size"] + apart == seen["live_size"],
          "sum of the classes")
    check(sum(c["nr_slabs"] for c in classes) == seen["nr_slabs"], "slabs")
    check(all(sum(c["fullness"]) == c["nr_slabs"] for c in classes),
          "fullness counts each slab once")
    check(sum(c["cached_size"] for c in seen["cpus"]) == seen["cached_size"],
          "cached by CPU")
    check(sum(c["nr_slabs"] for c in seen["cpus"]) == seen["nr_slabs"],
          "slabs by CPU")
    check(seen["nr_free_runs"] == sum(seen["free_runs"]), "free runs")
    return seen


def test_still():
    for conf in (None, "index=cpu_id", "rseq=off", "large_guard=all"):
        child = start("still", "30000", conf=conf)
        seen = compare(child, child.pid)
        check(seen["live_size"] > 50 << 20, "holds what it holds")
        check(seen["resident_process_size"] >= seen["resident_size"] > 0,
              "resident")
        child.kill()


def test_half():
    """Lanes that were being opened, which hold nothing yet, are none odd."""
    child = start("half", "10")
    check(stats(child.pid)["nr_odd"] == 0, "odd lanes")


def apart(child):
    """Live bytes that are no objects and no runs, less those that wait."""
    seen = stats(child.pid)
    return seen["live_size"] - seen["live_large_size"] - sum(
        c["nr_live"] * c["size"] for c in seen["classes"])


def test_guarded():
    """Guarded blocks count, blocks in the quarantine do not."""
    for conf, sign in (("guard=1", 1), ("quarantine=4m,hardened=1", -1),
                       ("guard=1,hardened=1", 0)):
        child = start("still", "30000", conf=conf)
        seen = apart(child)
        check(seen * sign >= abs(sign), "%s: %d apart" % (conf, seen))
        compare(child, child.pid, seen)
        child.kill()


def test_limited():
    """The budget under a soft limit: what there is room for, or 1 MiB."""
    for conf in ("limit_soft=32m", "limit_soft=16g,limit_hard=1g",
                 "limit_soft=100m,purge_budget=1g", "limit=off"):
        child = start("still", "30000", conf=conf)
        seen = compare(child, child.pid)
        if conf == "limit_soft=32m":
            check(seen["pressure_reason"] == 1 and seen["nr_pressures"],
                  "the soft limit was passed")
            check(seen["budget_size"] == 1 << 20, "the least budget")
        child.kill()


def metrics(text):
    """(name, kind) of the metrics that have no labels of their own."""
    return {tuple(line.split()[2:4]) for line in text.split("\n")
            if line.startswith("# TYPE ")}


def test_names():
    """The command and the library name a metric alike."""
    child = start("prometheus")
    said = metrics(child.first + "".join(iter(child.stdout.readline, "\n")))
    seen = metrics(command("stats", "--prometheus", child.pid).stdout)
    own = {"lanemalloc_" + name for name in (
        "error_bytes", "pinned_bytes", "resident_heap_bytes",
        "resident_process_bytes", "class_objects")}
    check({name for name, _ in seen - said} == own, seen - said)
    for name in ("limit_hits", "pressures", "fitted_classes", "purges"):
        check(("lanemalloc_%s_total" % name, "counter") in seen & said, name)


def test_text():
    child = start("still", "3000")
    text = command("stats", child.pid).stdout
    check("live_size" in text and "why it does not go back" in text, text)
    check(max(len(line) for line in text.split("\n")) < 220, "long lines")
    text = command("stats", "--prometheus", child.pid).stdout
    samples = [line for line in text.split("\n") if line and line[0] != "#"]
    form = re.compile(r'lanemalloc_[a-z_]+\{pid="\d+",comm="tool_heap"'
                      r'(,[a-z]+="[a-z0-9]+")*\} \d+$')
    check(len(samples) > 20, "few samples")
    for line in samples:
        check(form.match(line), line)
    heads = re.findall(r"# TYPE (\S+)", text)
    check(len(heads) == len(set(heads)), "a head stands twice")


def test_running():
    nr = 4
    child = start("run", str(nr))
    for _ in range(nr - 1):
        child.stdout.readline()
    inside = 0
    for _ in range(20):
        seen = stats(child.pid)
        error = seen["error_size"]
        # 512 to 1024 bytes a slot, rounded up to classes; and tables.
        least, most = nr * (4 << 20), nr * (11 << 20)
        check(least - error <= seen["live_size"] <= most + error,
              "live %d, error %d" % (seen["live_size"], error))
        inside += least <= seen["live_size"] <= most
    check(inside > 0, "never within what it holds")
    check(child.poll() is None, "it ended")


def test_replaced():
    """The library's file is another one by now, as after an upgrade."""
    copy = os.path.join(work, "replaced.so")
    shutil.copy(SO, copy)
    child = start("LD_PRELOAD=" + copy, HEAP, "still", "1000", program="env",
                  preload=False)
    os.unlink(copy)
    compare(child, child.pid)


def core_of(child):
    path = os.path.join(work, "core")
    subprocess.run(["gcore", "-o", path, str(child.pid)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return "%s.%d" % (path, child.pid)


def test_core():
    if not shutil.which("gcore"):
        print("no gcore: cores are not tested")
        return
    child = start("still", "20000")
    compare(child, core_of(child))
    core = core_of(start("still", "1000"))
    # Other files than those that were mapped: the magic text leads there.
    with open(core, "rb") as f:
        data = f.read()
    path = os.path.join(work, "moved")
    with open(path, "wb") as f:
        f.write(data.replace(SO.encode(), b"/" + b"x" * (len(SO) - 1)))
    check(stats(path)["nr_slabs"] == stats(core)["nr_slabs"], "by the magic")
    notes(bytearray(data))
    fields(bytes(data))
    fuzz(bytearray(data))


def notes(data):
    """Notes that say to be longer than the file."""
    first, = struct.unpack_from("<Q", data, 32)
    count, = struct.unpack_from("<H", data, 56)
    path = os.path.join(work, "notes")
    for at in range(first, first + 56 * count, 56):
        kind, _, offset = struct.unpack_from("<IIQ", data, at)
        if kind != 4:
            continue
        for size in ((0xfffffff0, 4), (4, 0xfffffff0), (4, 0x7ff)):
            changed = bytearray(data[:offset + 100])
            struct.pack_into("<II", changed, offset, *size)
            struct.pack_into("<Q", changed, at + 32, 100)
            with open(path, "wb") as f:
                f.write(changed)
            done = command("stats", path, status=None)
            check(done.returncode in (0, 1), "status %d" % done.returncode)


def fields(data):
    """Each number of the view, as it must not be."""
    place = data.find(b"lanemalloc view\0")
    path = os.path.join(work, "fields")
    with open(path, "wb") as f:
        f.write(data)
    size, = struct.unpack_from("<I", data, place + 20)
    for at in range(place + 24, place + size, 8):
        for value in (0, 1, 0xffffffff, (1 << 64) - 1):
            with open(path, "r+b") as f:
                f.seek(at)
                f.write(struct.pack("<Q", value))
            done = command("stats", path, status=None)
            check(done.returncode in (0, 1), "field %d as %d: status %d" % (
                (at - place - 24) // 8, value, done.returncode))
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(data[at:at + 8])


def fuzz(data):
    """Whatever the bytes, an end in time, no signal. Half of the changes hit
    where the library's own numbers are."""
    random.seed(4711)
    place = data.find(b"lanemalloc view\0")
    check(place > 0, "no view in the core")
    path = os.path.join(work, "garbage")
    for turn in range(60):
        changed = bytearray(data)
        for _ in range(1 + turn * 3):
            if random.random() < 0.5:
                at = place + random.randrange(-65536, 65536)
            else:
                at = random.randrange(len(changed))
            at = max(0, min(at, len(changed) - 1))
            changed[at] = random.randrange(256)
        if turn % 4 == 3:
            del changed[random.randrange(len(changed)):]
        if turn % 4 == 2:
            for at in range(0, 4096):
                if random.random() < 0.02:
                    changed[at] = random.randrange(256)
        with open(path, "wb") as f:
            f.write(changed)
        done = command("stats", path, status=None)
        check(done.returncode in (0, 1), "turn %d: status %d %s" % (
            turn, done.returncode, done.stderr))
        check(done.returncode == 0 or done.stderr.startswith("lanemalloc: "),
              "turn %d: nothing said" % turn)


def test_refused():
    done = command("stats", os.getpid(), status=1)
    check("does not have lanemalloc" in done.stderr, done.stderr)
    done = command("stats", 999999999, status=1)
    check("no process" in done.stderr, done.stderr)
    done = command("stats", "/etc/hostname", status=1)
    check("no core" in done.stderr, done.stderr)
    done = command("stats", "/nowhere/core", status=1)
    check("No such file" in done.stderr, done.stderr)
    done = command("stats", "redis-server", status=1)
    check("no process's number" in done.stderr, done.stderr)
    kept = os.path.join(work, "kept")
    with open(kept, "w", encoding="utf-8") as f:
        f.write("the last numbers")
    for name in "stats", "map":
        command(name, "-o", kept, 999999999, status=1)
    check(os.path.getsize(kept) == 16, "a file is emptied for nothing")
    command("stats", status=2)
    said = command("stats", "1", "2", status=2).stderr
    check(said == "lanemalloc: stats: one process or core at a time, and '2' "
          "is one more\n", said)
    child = start("still", "100")
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    said = command("stats", child.pid, status=1).stderr
    check("has no memory: it has ended" in said, said)
    if os.geteuid() == 0:
        child = start("still", "100")
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
             COMMAND, "stats", str(child.pid)], stderr=subprocess.PIPE,
            text=True, check=False)
        if done.stderr.startswith("lanemalloc: "):
            check(done.returncode == 1 and "of user 0" in done.stderr,
                  done.stderr)
        else:
            print("another user cannot start it: " + done.stderr)


def readv_refused():
    """From here on, as some containers have it."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = {"x86_64": 310, "aarch64": 270}[platform.machine()]
    code = b"".join(struct.pack("HBBI", *line) for line in (
        (0x20, 0, 0, 0),                      # load the call's number
        (0x15, 0, 1, number),                 # another: over the next
        (0x06, 0, 0, 0x50000 | errno.EPERM),  # refuse
        (0x06, 0, 0, 0x7fff0000)))            # allow
    lines = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", 4, ctypes.addressof(lines))
    no_new_privs, set_seccomp, filter_mode = 38, 22, 2
    if libc.prctl(no_new_privs, 1, 0, 0, 0) or \
            libc.prctl(set_seccomp, filter_mode, program, 0, 0):
        raise OSError(ctypes.get_errno(), "no filter")


def test_without_the_call():
    child = start("still", "3000")
    whole = stats(child.pid)
    seen = json.loads(command("stats", "--json", child.pid,
                              preexec_fn=readv_refused).stdout)
    for name in NAMES:
        check(seen[name] == whole[name], name)


def test_static():
    """The archive in a program: its own table of symbols tells, and without
    one the magic text."""
    source = os.path.join(work, "s.c")
    with open(source, "w", encoding="utf-8") as f:
        f.write('#include "lanemalloc.h"\n#include <stdio.h>\n'
                '#include <stdlib.h>\n#include <unistd.h>\n'
                'static char t[8192], o[4096];\n'
                'int main(void) { setvbuf(stdout, o, _IOFBF, 4096);\n'
                'for (int i = 0; i < 5000; i++) *(char *)malloc(i + 1) = 1;\n'
                'lanemalloc_stats_json(t, sizeof(t)); puts(t);\n'
                'fflush(stdout); pause(); }\n')
    for flags in (["-static"], ["-static", "-s"], ["-static-pie", "-fPIE"]):
        program = os.path.join(work, "s" + "".join(flags))
        subprocess.run(["gcc", "-O1", "-fno-builtin-malloc", *flags,
                        "-I", "include", source, "-o", program,
                        os.path.join(BUILD, "liblanemalloc.a")], check=True)
        child = start(program=program, preload=False)
        compare(child, child.pid)


main(test_still, test_half, test_guarded, test_limited, test_names, test_text,
     test_running, test_replaced, test_core, test_refused, test_static,
     test_without_the_call)
