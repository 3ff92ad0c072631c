#!/usr/bin/env python3
"""lanemalloc top in a terminal of 80 x 24: what it shows, keys, its end."""

import re

from screen import COLUMNS, ROWS, Program, Screen
from tool import COMMAND, check, command, environment, main, start


def top_of(*arguments):
    return Program([COMMAND, "top", *arguments], environment(preload=False))


def table(lines, head="(s)ize"):
    """Rows below the head."""
    at = [i for i, line in enumerate(lines) if line.lstrip().startswith(head)]
    return [line for line in lines[at[0] + 1:-1] if line] if at else []


def test_screen_scrolls():
    """As curses has it: in a region, both ways; rows beyond it stay."""
    screen = Screen()
    screen.feed("a\r\nb\r\nc\r\nd")
    screen.feed("\x1b[2;3r\x1b[3d\n")
    check(screen.lines()[:4] == ["a", "c", "", "d"], screen.lines())
    screen.feed("\x1b[2d\x1bM")
    check(screen.lines()[:4] == ["a", "", "c", "d"], screen.lines())
    screen.feed("\x1b[r\x1b[1;1H\x1b[2M")
    check(screen.lines()[:3] == ["c", "d", ""], screen.lines())
    check(screen.most_row < ROWS, "nothing is beyond it")
    screen.feed("\x1b[24d\n")
    check(screen.most_row == ROWS, "that is")


def test_shows():
    child = start("run", "2")
    top = top_of("-d", "0.3", child.pid)
    check(top.read(lambda lines: len(table(lines)) >= 4 and
                   "q quit" in lines[-1]), top.screen.lines())
    lines = top.screen.lines()
    print("\n".join(lines))
    check("tool_heap" in lines[0], lines[0])
    check("live" in lines[1] and lines[2][0] == "[" and
          lines[2][-1] == "]", lines[1:3])
    check(any("per second" in line for line in lines), "no rates")
    check(top.read(lambda ls: any(re.search(r"refills [1-9]", line)
                                  for line in ls)), "nothing moves")
    check(top.screen.most_row < ROWS and top.screen.most_column <= COLUMNS,
          "beyond the screen")
    check(top.screen.colors > 0, "no colours")
    for letter, order in (("s", 1), ("n", -1)):
        top.key(letter)
        column = 0 if letter == "s" else 1

        def is_sorted(lines):
            rows = [int(line.split()[column]) for line in table(lines)]
            return rows == sorted(rows, reverse=order < 0) and len(rows) > 3
        check(top.read(is_sorted), "not sorted by " + letter)
    top.key("p")
    check(top.read(lambda ls: len(table(ls, "cache")) >= 1), "no caches")
    top.key("q")
    check(top.ends() == 0, "status")
    check(child.poll() is None, "the process ended")


def test_end():
    child = start("still", "1000")
    top = top_of("-d", "0.2", "--no-color", child.pid)
    check(top.read(lambda lines: len(table(lines)) > 5), "no table")
    check(top.screen.colors == 0, "colours")
    # What a line has no room for goes by whole words.
    whole = [" ".join(line.split()[2:])
             for line in command("stats", child.pid).stdout.splitlines()]
    shown = [" ".join(line.split()[2:]) for line in top.screen.lines()
             if re.match(r" *[\d.]+ \w+ (free|in|resident) ", line)]
    check(all(any(text + " " in each + " " for each in whole)
              for text in shown), (shown, whole))
    check(any(text not in whole for text in shown), shown)
    child.kill()
    child.wait()
    check(top.read(lambda lines: any("has ended" in line for line in lines)),
          "does not end with the process")
    check(top.ends() == 0, "status")
    child = start("still", "10")
    top = top_of("-n", "1", child.pid)
    check(top.ends() == 0, "status")
    done = command("top", "-n", "1", child.pid, status=1)
    check("on a terminal" in done.stderr and not done.stdout, done)


main(test_screen_scrolls, test_shows, test_end)
