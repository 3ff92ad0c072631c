#!/usr/bin/env python3
"""lanemalloc serve: metrics, profiles, and that the profile goes off with it.
"""

import gzip
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import proto
from tool import (COMMAND, check, command, goes_off, is_filtered, main, start,
                  stats, work)


def serve(*arguments):
    server = start("serve", "--listen", "127.0.0.1:0", *map(str, arguments),
                   program=COMMAND, preload=False)
    check(server.first.startswith("listening on "), server.first)
    return server, "http://" + server.first.split()[-1]


def get(url, status=200):
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:
            data = answer.read()
            check(status == 200, "%s: 200" % url)
            return data
    except urllib.error.HTTPError as error:
        check(error.code == status, "%s: %d" % (url, error.code))
        return error.read()


def ends(server):
    server.send_signal(signal.SIGTERM)
    check(server.wait(120) == 0, "status")


def test_one():
    child = start("leak", conf="profile_interval=4096")
    server, url = serve(child.pid)
    text = get(url + "/metrics").decode()
    check('lanemalloc_live_bytes{pid="%d",comm="tool_heap"}' % child.pid
          in text, text)
    check(json.loads(get(url + "/stats.json"))["pid"] == child.pid, "pid")
    check(b"metrics" in get(url + "/"), "no index")
    get(url + "/nowhere", 404)
    get(url + "/stats.json?pid=%d" % child.pid)
    get(url + "/stats.json?pid=%d" % os.getpid(), 404)
    check(not stats(child.pid)["profile_on"], "on before it was asked for")
    get(url + "/debug/pprof/heap")
    check(stats(child.pid)["profile_on"], "not on")
    data = gzip.decompress(get(url + "/debug/pprof/heap"))
    check(b"inuse_space" in data and b"tool_heap" in data, "no profile")
    ends(server)
    goes_off(child)


def test_pprof():
    """Go's reader fetches the profile itself, and asks for names as well."""
    child = start("leak", conf="profile_interval=4096")
    server, url = serve(child.pid)
    get(url + "/debug/pprof/heap")
    time.sleep(1)
    for data in (b"0x1234+0x5678", (1 << 20) * b"x"):
        with urllib.request.urlopen(url + "/debug/pprof/symbol", data,
                                    120) as answer:
            check(answer.read() == b"num_symbols: 0\n", "names")
    try:
        urllib.request.urlopen(url + "/metrics", b"x", 120)
        check(False, "posted metrics")
    except urllib.error.HTTPError as error:
        check(error.code == 405, error.code)
    if shutil.which("go"):
        said = subprocess.run(["go", "tool", "pprof", "-top", url +
                               "/debug/pprof/heap"], check=False,
                              env=dict(os.environ, PPROF_TMPDIR=work),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
        check(said.returncode == 0 and "keeps_much" in said.stdout,
              said.stdout + said.stderr)
    ends(server)


def test_all():
    children = [start("still", "100") for _ in range(2)]
    server, url = serve("--all")
    text = get(url + "/metrics").decode()
    for child in children:
        check('lanemalloc_live_bytes{pid="%d"' % child.pid in text, text)
    check(text.count("# TYPE lanemalloc_live_bytes ") == 1, "heads")
    pid = children[0].pid
    check(json.loads(get(url + "/stats.json?pid=%d" % pid))["pid"] == pid,
          "pid")
    every = {one["pid"] for one in json.loads(get(url + "/stats.json"))}
    check({child.pid for child in children} <= every, every)
    get(url + "/stats.json?pid=/etc/passwd", 404)
    check(b"did not notice" in get(url + "/debug/pprof/heap?pid=%d" % pid,
                                   503), "a process that sleeps")
    ends(server)


def test_several():
    """Of those that are named, and the one that sleeps is left out."""
    leaks = [start("leak", conf="profile_interval=4096") for _ in range(2)]
    still = start("still", "100")
    server, url = serve(leaks[0].pid, still.pid, leaks[1].pid)
    get(url + "/debug/pprof/heap")
    one_profile(proto.read(gzip.decompress(get(url + "/debug/pprof/heap"))),
                leaks)
    check(len(json.loads(get(url + "/stats.json"))) == 3, "three")
    get(url + "/stats.json?pid=%d" % leaks[1].pid)
    get(url + "/stats.json?pid=%d" % os.getpid(), 404)
    check(all(stats(child.pid)["profile_on"] for child in leaks), "not on")
    ends(server)
    for child in leaks:
        goes_off(child)


def one_profile(profile, leaks):
    """Each process has its own stacks, in mappings of its own."""
    seen = {}
    for locations, values, labels in profile.samples:
        check(labels["process"] == "tool_heap", labels)
        one = seen.setdefault(labels["pid"], [0, set()])
        one[0] += values["alloc_space"]
        one[1] |= {profile.locations[i] for i in locations}
    check(set(seen) == {child.pid for child in leaks}, seen)
    check(all(space > 0 for space, _ in seen.values()), seen)
    check(not seen[leaks[0].pid][1] - {0} & seen[leaks[1].pid][1], seen)


def test_refused():
    said = command("serve", status=2).stderr
    check(said == "lanemalloc: serve: a process or --all is missing: see "
          "lanemalloc serve --help\n", said)
    said = command("serve", "--all", "1", status=2).stderr
    check(said == "lanemalloc: serve: --all and process 1; either the one or "
          "the other\n", said)
    said = command("serve", *(257 * ["1"]), status=2).stderr
    check(said == "lanemalloc: serve: more than 256 processes\n", said)
    child = start("still", "10")
    for nonsense, why in (("nonsense", "no ADDRESS:PORT"),
                          ("127.0.0.1:", "no port"),
                          ("127.0.0.1:65536", "no port"),
                          ("127.0.0.1:100000000000000080", "no port"),
                          (":80", "no address in numbers"),
                          ("localhost:80", "no address in numbers"),
                          ("1" * 200 + ":80", "too long"),
                          ("203.0.113.7:1", "Cannot assign")):
        said = command("serve", "--listen", nonsense, child.pid,
                       status=1 if why == "Cannot assign" else 2).stderr
        check(why in said and nonsense in said, said)
        check(said.count("\n") == 1, said)
    done = subprocess.run([COMMAND, "serve", "999999999"], check=False,
                          stderr=subprocess.PIPE)
    check(done.returncode == 1, "no process")


def start_as(pid, *arguments):
    """A process with that id, which is free; None: ids cannot be chosen."""
    for _ in range(200):
        try:
            with open("/proc/sys/kernel/ns_last_pid", "w") as f:
                f.write(str(pid - 1))
        except OSError:
            return None
        child = start(*arguments, conf="profile_interval=4096")
        if child.pid == pid:
            return child
        child.kill()
        child.wait()
    return None


def test_an_id_that_is_used_again():
    """Another process is not taken for the one that was there before."""
    child = start("leak", conf="profile_interval=4096")
    pid = child.pid
    server, url = serve(pid)
    get(url + "/debug/pprof/heap")
    check(stats(pid)["profile_on"], "not on")
    child.kill()
    child.wait()
    for page in ("/metrics", "/stats.json", "/debug/pprof/heap"):
        said = get(url + page, 503).decode()
        check("%d" % pid in said and said.count("\n") == 1, said)
    other = start_as(pid, "leak")
    if not other:
        print("(ids of processes cannot be chosen here)")
        return
    for page in ("/metrics", "/stats.json", "/debug/pprof/heap"):
        said = get(url + page, 503).decode()
        check(said == "process %d has ended, and another one has its number\n"
              % pid, said)
    time.sleep(3)
    check(not stats(pid)["profile_on"], "the other's profile is on")
    ends(server)


def test_filtered():
    """Behind a filter there are figures, and a profile that is on already."""
    child = start("leak")
    server, url = serve(child.pid)
    check(b"lanemalloc_live_bytes" in get(url + "/metrics"), "no figures")
    said = get(url + "/debug/pprof/heap", 503).decode()
    check("behind a seccomp filter" in said, said)
    ends(server)
    child = start("leak", conf="profile=1,profile_interval=4096,profile_dir="
                  + work)
    server, url = serve(child.pid)
    data = gzip.decompress(get(url + "/debug/pprof/heap"))
    check(b"inuse_space" in data, "no profile")
    ends(server)


FROM_OUTSIDE = (test_one, test_pprof, test_all, test_several,
                test_an_id_that_is_used_again)
main(test_refused, *((test_filtered,) if is_filtered() else FROM_OUTSIDE))
