"""A terminal for a program that draws on it, as text: `lanemalloc top`."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

ROWS, COLUMNS = 24, 80


class Screen:
    """A terminal as far as curses on `linux` needs one."""

    def __init__(self):
        self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0
        self.top, self.bottom = 0, ROWS  # of what scrolls
        self.most_row = self.most_column = 0
        self.colors = 0
        self.rest = ""

    def feed(self, text):
        text, self.rest = self.rest + text, ""
        while text:
            m = re.match(r"\x1b\[([?>]?[\d;]*)([A-Za-z@])|\x1b[()][A-Z0-9]|"
                         r"\x1b[=>78cM]|\x1b\]\w+", text)
            if m:
                if m.group(2):
                    self.control(m.group(1), m.group(2))
                elif m.group() == "\x1bM":
                    self.step(-1)
            elif text[0] == "\x1b":
                self.rest = text
                return
            else:
                self.character(text[0])
            text = text[m.end():] if m else text[1:]

    def character(self, c):
        if c == "\r":
            self.column = 0
        elif c == "\n":
            self.step(1)
        elif c == "\b":
            self.column -= 1
        elif c == "\t":
            self.column = (self.column // 8 + 1) * 8
        elif c >= " ":
            self.put(c)

    def step(self, rows):
        """A row on or back; at its end the region scrolls. What goes on below
        the screen counts as beyond it."""
        is_whole = (self.top, self.bottom) == (0, ROWS)
        if self.row == (self.bottom - 1 if rows > 0 else self.top):
            self.scroll(rows, self.top)
            if is_whole and rows > 0:
                self.most_row = ROWS
        else:
            self.row = max(self.row + rows, 0)

    def scroll(self, rows, top):
        gone, new = top, self.bottom - 1
        if rows < 0:
            gone, new = new, gone
        for _ in range(abs(rows)):
            del self.cells[gone]
            self.cells.insert(new, [" "] * COLUMNS)

    def put(self, c):
        if self.row < ROWS and self.column < COLUMNS:
            self.cells[self.row][self.column] = c
        self.column += 1
        self.most_row = max(self.most_row, self.row)
        self.most_column = max(self.most_column, self.column)

    def control(self, numbers, letter):
        n = [int(x or 0) for x in numbers.split(";")] if \
            re.fullmatch(r"[\d;]*", numbers) else [0]
        one = n[0] or 1
        if letter == "H":
            self.row, self.column = one - 1, (n[1] or 1) - 1 if n[1:] else 0
        elif letter == "J":
            for row in range(self.row, ROWS):
                first = self.column if row == self.row else 0
                self.cells[row][first:] = [" "] * (COLUMNS - first)
        elif letter == "K":
            end = self.column + 1 if n[0] == 1 else COLUMNS
            first = 0 if n[0] == 1 else self.column
            self.cells[self.row][first:end] = [" "] * (end - first)
        elif letter == "X":
            for i in range(self.column, min(self.column + one, COLUMNS)):
                self.cells[self.row][i] = " "
        elif letter == "P":
            row = self.cells[self.row]
            del row[self.column:self.column + one]
            row += [" "] * (COLUMNS - len(row))
        elif letter == "@":
            row = self.cells[self.row]
            row[self.column:self.column] = [" "] * one
            del row[COLUMNS:]
        elif letter == "r":
            self.top = one - 1
            self.bottom = (n[1] or ROWS) if n[1:] else ROWS
            self.row = self.column = 0
        elif letter == "L":
            self.scroll(-one, self.row)
        elif letter == "M":
            self.scroll(one, self.row)
        elif letter == "d":
            self.row = one - 1
        elif letter == "G":
            self.column = one - 1
        elif letter == "A":
            self.row -= one
        elif letter == "B":
            self.row += one
        elif letter == "C":
            self.column += one
        elif letter == "D":
            self.column -= one
        elif letter == "m":
            self.colors += any(30 <= x <= 37 for x in n)

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]


class Program:
    """Runs a command in the terminal."""

    def __init__(self, command, env):
        self.screen = Screen()
        has_size, sized = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            env = dict(env, TERM="linux")
            env.pop("NO_COLOR", None)
            os.read(has_size, 1)  # until the terminal has its size
            os.execve(command[0], list(map(str, command)), env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.write(sized, b".")
        os.close(has_size)
        os.close(sized)
        self.status = None

    def read(self, until, seconds=120):
        """Whether `until` of the lines came true in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    data = b""
                if not data:
                    self.status = os.waitstatus_to_exitcode(
                        os.waitpid(self.pid, 0)[1])
                    return until(self.screen.lines())
                self.screen.feed(data.decode(errors="replace"))
            if until(self.screen.lines()):
                return True
        return False

    def key(self, text):
        os.write(self.fd, text.encode())

    def ends(self):
        """The exit status."""
        self.read(lambda lines: False)
        return self.status
