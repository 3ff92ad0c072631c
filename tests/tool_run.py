#!/usr/bin/env python3
"""lanemalloc run: what the command and its children get."""

import os
import re
import subprocess

from tool import COMMAND, SO, check, command, environment, main, work

SHOW = "echo \"$LD_PRELOAD|$LANEMALLOC_CONF|$LANEMALLOC_NO_CHILDREN\"; " \
       "grep -c /liblanemalloc /proc/$$/maps; " \
       "sh -c 'grep -c /liblanemalloc /proc/$$/maps'; exit 7"


def shell(*options, status=7, **more):
    env = environment(preload=False)
    env.update(more)
    done = subprocess.run([COMMAND, "run", *options, "sh", "-c", SHOW],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=env, check=False)
    check(done.returncode == status, "status %d: %s" % (done.returncode,
                                                        done.stderr))
    check(not done.stderr, done.stderr)
    return done.stdout.split("\n")


def test_run():
    said, own, child, _ = shell()
    check(said == SO + "||", said)
    check(int(own) > 0 and int(child) > 0, "the library is not there")


def test_kept():
    other = os.path.join(work, "other.so")
    subprocess.run(["gcc", "-shared", "-x", "c", "/dev/null", "-o", other],
                   check=True)
    said, own, _, _ = shell("--purge_delay=5", "--checks=fast",
                            LD_PRELOAD=other, LANEMALLOC_CONF="verbose=off")
    check(said == "%s:%s|verbose=off,purge_delay=5,checks=fast|" %
          (SO, other), said)
    check(int(own) > 0, "the library is not there")
    said, own, child, _ = shell("--verbose=off", "--stats", "--stats=0")
    check(said == SO + "|verbose=off,stats=on,stats=0|", said)
    said, own, child, _ = shell("--no-children", LD_PRELOAD=other)
    check(said == other + "||", said)
    check(int(own) > 0 and int(child) == 0, "own %s, child %s" % (own, child))


def test_no_children():
    said, own, child, _ = shell("--no-children")
    check(said == "||", said)
    check(int(own) > 0 and int(child) == 0, "own %s, child %s" % (own, child))


def test_refused():
    check("No such file" in command("run", "--library=/nowhere", "true",
                                    status=1).stderr, "no library")
    command("run", "/nowhere/program", status=127)
    command("run", "/etc", status=126)
    command("run", "--nonsense=1", "true", status=2)


def test_values():
    """Refused as the library refuses them, before anything runs."""
    for flag, reason in (
            ("--hardened=banana", "--hardened: 'banana' is not one of 0 1 "
             "off on false true no yes"),
            ("--checks=fat", "--checks: 'fat' is not one of 0 1 fast full "
             "off on"),
            ("--quarantine=16t", "--quarantine: '16t' is not a number from 0 "
             "to 1099511627776 (k, m, g may follow)"),
            ("--profile_interval=0", "--profile_interval: '0' is not a "
             "number from 1 to 1099511627776 (k, m, g may follow)"),
            ("--stats_file=" + 256 * "x", "--stats_file: '" + 256 * "x" +
             "' is not a text of at most 255 bytes"),
            ("--stats_file=a,b", "--stats_file: no commas in values")):
        done = command("run", flag, "echo", "it runs", status=2)
        check(done.stderr == "lanemalloc: %s\n" % reason, done.stderr)
        check(not done.stdout, "it runs with " + flag)
    for flag in ("--hardened=yes", "--quarantine=16g", "--checks",
                 "--stats_file=" + 255 * "x"):
        done = command("run", flag.replace("--checks", "--checks=full"),
                       "echo", "it runs")
        check(done.stdout == "it runs\n", done.stdout)
    check(command("run", status=2).stderr == "lanemalloc: run: a program is "
          "missing: see lanemalloc run --help\n", "no command")
    command("run", status=2)
    folder = os.path.join(work, "with space")
    os.mkdir(folder)
    spaced = os.path.join(folder, "copy.so")
    with open(SO, "rb") as f, open(spaced, "wb") as g:
        g.write(f.read())
    check("space" in command("run", "--library=" + spaced, "true",
                             status=1).stderr, "a path with a space")


def test_help():
    text = command("run", "--help").stdout
    with open("docs/options.md", encoding="utf-8") as f:
        names = [line.split("`")[1] for line in f if line.startswith("| `")]
    check(len(names) > 10, "no options")
    for name in names:
        check(re.search(r"--%s(=VALUE|\[=VALUE\]) " % name, text),
              "no flag for " + name)


def test_man():
    with open("docs/man/lanemalloc.1", encoding="utf-8") as f:
        check(f.read() == command("--man").stdout,
              "docs/man/lanemalloc.1 is not current: make command docs")
    text = command("--help").stdout
    check(max(map(len, text.split("\n"))) < 80, text)
    for name in ("run", "top", "stats", "map", "profile", "leaks", "diff",
                 "report", "serve"):
        check("\n  %s " % name in text, text)
        check("--help" in command(name, "--help").stdout, name)
    command(status=2)
    check("no subcommand 'nonsense'" in command("nonsense", status=2).stderr,
          "which subcommand is not said")


main(test_man, test_run, test_kept, test_no_children, test_refused, test_values,
     test_help)
