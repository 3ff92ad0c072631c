#!/usr/bin/env python3
"""Puts what the command shows of a redis-server into docs/inspect.md.

Usage: inspect.py BUILD

Between the marks `<!-- NAME: begin -->` and `end` of the page; the pictures
go to docs/inspect-map.svg and, of a profile by `go tool pprof`, to
docs/inspect-graph.svg. Needs redis-server and redis-tools, and for the graph
go and graphviz: without them it stays as it is, which is said.
"""

import os
import re
import socket
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../tests"))

import screen  # noqa: E402

PAGE = os.path.join(HERE, "../inspect.md")
PICTURE = os.path.join(HERE, "../inspect-map.svg")
GRAPH = os.path.join(HERE, "../inspect-graph.svg")
LOAD = ["-q", "-n", "12000", "-r", "9000", "-d", "300", "-t",
        "set,lpush,hset"]
DELETE = "for i=1,4500 do redis.call('del', 'key:'.." \
         "string.format('%012d',i)) end"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout


def put(page, name, text):
    text = "\n".join(line.rstrip() for line in text.rstrip().split("\n"))
    return re.sub("(<!-- %s: begin -->\n).*?(<!-- %s: end -->)" % (name, name),
                  lambda m: m.group(1) + "```\n" + text + "\n```\n" +
                  m.group(2), page, flags=re.S)


def top_of(command, pid, port):
    top = screen.Program([command, "top", "-d", "1", pid], dict(os.environ))
    load = subprocess.Popen(["redis-benchmark", "-p", port, "-q", "-n",
                             "60000", "-r", "9000", "-t", "set"],
                            stdout=subprocess.DEVNULL)
    top.read(lambda lines: any(re.search(r"refills [1-9]", line)
                               for line in lines))
    top.read(lambda lines: False, seconds=0.4)  # the rest of the screen
    text = "\n".join(top.screen.lines())
    top.key("q")
    top.ends()
    load.wait()
    return text


def graph(command, pid):
    """The profile as pprof draws it, without the time and place of making."""
    if not shutil.which("go") or not shutil.which("dot"):
        print("inspect.py: no go or no graphviz: the graph is an older one")
        return
    with tempfile.NamedTemporaryFile(suffix=".pb.gz") as profile:
        run(command, "profile", "-s", "0", "-o", profile.name, pid)
        svg = run("go", "tool", "pprof", "-svg", "-nodecount=12",
                  "-nodefraction=0.02", "-sample_index=inuse_space",
                  "-drop_negative", profile.name)
    with open(GRAPH, "w", encoding="utf-8") as f:
        f.write(re.sub(r"(?m)[ \t]+$", "", svg))


def main(build):
    command = os.path.join(os.path.abspath(build), "lanemalloc")
    port = free_port()
    server = subprocess.Popen(
        [command, "run", "redis-server", "--port", port, "--save", "",
         "--appendonly", "no"], stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)
        run("redis-benchmark", "-p", port, *LOAD)
        run("redis-cli", "-p", port, "eval", DELETE, "0")
        time.sleep(1.5)
        with open(PAGE, encoding="utf-8") as f:
            page = f.read()
        page = put(page, "stats", run(command, "stats", str(server.pid)))
        run(command, "map", str(server.pid), "-o", PICTURE)
        page = put(page, "top", top_of(command, str(server.pid), port))
        run(command, "profile", "-s", "2", "-o", "/dev/null", "--keep",
            str(server.pid))
        run("redis-benchmark", "-p", port, "-q", "-n", "60000", "-r",
            "50000", "-d", "1000", "-t", "set")
        page = put(page, "leaks", run(command, "leaks", "-n", "2", "-d", "8",
                                      str(server.pid)))
        graph(command, str(server.pid))
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write(page)
    finally:
        server.kill()
        server.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
