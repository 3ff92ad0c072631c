"""What the tests of the command share: tests/tool_*.py.

Each is a program that exits with 0. Environment: LANEMALLOC_SO, the library;
the command stands beside it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

SO = os.environ["LANEMALLOC_SO"]
BUILD = os.path.dirname(SO)
COMMAND = os.path.join(BUILD, "lanemalloc")
HEAP = os.path.join(BUILD, "tests/tool_heap")
# What no command says.
ONE_OF_MANY = re.compile(r"(?<![\d.])1 (block|stack|sample|slab|finding|byte|"
                         r"word|CPU cache)s\b")
work = tempfile.mkdtemp(prefix="lane-tool.")
children = []


def environment(conf=None, preload=True):
    env = {k: v for k, v in os.environ.items()
           if k not in ("LD_PRELOAD", "LANEMALLOC_CONF")}
    if preload:
        env["LD_PRELOAD"] = SO
    if conf:
        env["LANEMALLOC_CONF"] = conf
    return env


def start(*arguments, conf=None, program=HEAP, preload=True):
    """Starts it; its first line of output is in .first."""
    child = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE,
                             env=environment(conf, preload), text=True)
    children.append(child)
    child.first = child.stdout.readline()
    return child


def command(*arguments, status=0, wait=300, **how):
    done = subprocess.run([COMMAND, *[str(a) for a in arguments]],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, errors="replace", timeout=wait,
                          env=environment(preload=False), check=False, **how)
    if status is not None and done.returncode != status:
        fail("lanemalloc %s: status %d\n%s" % (
            " ".join(map(str, arguments)), done.returncode, done.stderr))
    wrong = ONE_OF_MANY.search(done.stdout + done.stderr)
    check(not wrong, wrong and wrong.group(0))
    return done


def is_filtered():
    """Whether a seccomp filter, as a container has, is on all that is started
    here: then no profile is started from outside."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as f:
        return "\nSeccomp:\t0\n" not in f.read()


def stats(what):
    return json.loads(command("stats", "--json", what).stdout)


def goes_off(child):
    """The profile, when nobody has asked for it for some seconds."""
    for _ in range(300):
        if not stats(child.pid)["profile_on"]:
            return
        time.sleep(0.1)
    fail("it stays on")


def fail(text):
    print("failed: %s" % (text,))
    cleanup()
    sys.exit(1)


def check(condition, text):
    if not condition:
        fail(text)


def cleanup():
    for child in children:
        child.kill()
        child.wait()
    shutil.rmtree(work, ignore_errors=True)


def main(*tests):
    try:
        for test in tests:
            started = time.monotonic()
            test()
            print("%s: ok, %.1f s" % (test.__name__,
                                      time.monotonic() - started))
            while children:
                child = children.pop()
                child.kill()
                child.wait()
    finally:
        cleanup()
