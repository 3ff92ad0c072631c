"""keys: what a function of the library is, wherever it lies.

A function's key is a hash of its instructions with every address made
symbolic, so that it changes with the function and not with its neighbours:

	jumps within it		by their distance from its start
	calls and jumps to others	by their names and the distance from there
	variables		by their names, whatever they hold
	constants, strings, tables	by what they hold, pointers by the same rules
	rseq sections		by where they begin, end and abort
	libc's functions	by their names

Numbers that the compiler gives to local names do not count, nor do the no-ops
that fill up to the next function. The handlers at
which sections abort lie in a place of their own; they count as a function
beside the one that they lead to, NAME.abort.
"""
import hashlib
import re
import struct
from collections import defaultdict

from machine import COMMENT, HEAD, Elf, run

LINE = re.compile(r"^\s*([0-9a-f]+):\t(.*)$")
TARGET = re.compile(r"\b([0-9a-f]+) <([^>]*)>")
NEAR_RIP = re.compile(r"-?0x[0-9a-f]+\(%rip\)")
PADDING = re.compile(r"(data16 |cs |ss )*nop|xchg +%ax,%ax|int3")
LOCAL = re.compile(r"\.\d+$")
SIGNATURE = "0x53053053"
ABORTS = "__rseq_failure"
NO_CODE = (".init", ".fini", ".plt", ".plt.got", ".plt.sec")
CONSTANT_SIZE = 32  # of what has no name: a register's
RELATIVE, TPOFF = 8, 18


class Data(Elf):
    """What lies at an address, by contents or by name."""

    def __init__(self, path, names):
        super().__init__(path)
        self.names = names
        self.pointers = self.relative()
        self.slots = self.read_slots()
        self.objects = sorted(self.read_objects())
        self.seen = {}

    def name(self, text):
        """Without what the compiler numbers, as it is called today."""
        stem, dot, part = LOCAL.sub("", text).partition(".")
        return self.names.get(stem, stem) + dot + part

    def text_at(self, section, offset):
        start = self.sections[section][4] + offset
        return self.data[start:self.data.index(b"\0", start)].decode()

    def read_objects(self):
        for name, info, _, _, at, size in self.table(".symtab", "<IBBHQQ"):
            if size and info & 15 == 1:
                yield at, size, self.name(self.text_at(".strtab", name))

    def read_slots(self):
        """What the loader puts where, by name."""
        names = [self.text_at(".dynstr", s[0])
                 for s in self.table(".dynsym", "<IBBHQQ")]
        out = {}
        for section in (".rela.dyn", ".rela.plt"):
            for at, info, addend in self.table(section, "<QQq"):
                kind, name = info & 0xffffffff, names[info >> 32]
                if kind == TPOFF and not name:
                    name, addend = self.own_thread_local(addend)
                if kind != RELATIVE:
                    out[at] = "%d:%s+%d" % (kind, name, addend)
        return out

    def own_thread_local(self, addend):
        for name, info, _, _, at, size in self.table(".symtab", "<IBBHQQ"):
            if info & 15 == 6 and at <= addend < at + size:
                return self.name(self.text_at(".strtab", name)), addend - at
        return "", addend

    def section_of(self, at):
        for name, head in self.sections.items():
            if head[2] & 2 and head[3] <= at < head[3] + head[5] and \
                    not head[2] & 0x400:
                return name
        return None

    def bytes_at(self, at, size):
        head = self.sections[self.section_of(at)]
        if head[1] == 8:  # no bits in the file
            return b"\0" * size
        start = head[4] + at - head[3]
        return self.data[start:min(start + size, head[4] + head[5])]

    def object_at(self, at):
        for start, size, name in self.objects:
            if start <= at < start + size:
                return start, size, name
        return None


class Library:
    """Its functions: name, key, and the offsets of their instructions."""

    def __init__(self, path, names=None):
        """names: of what is called another way today."""
        self.data = Data(path, names or {})
        self.lines = defaultdict(list)  # of a function: (offset, text)
        self.starts = {}                # offset -> name
        self.place_of = {}              # of each instruction: its function
        self.read(path)
        self.split_aborts()
        self.functions = {}
        self.index = {}  # offset -> (function, number of the instruction)
        for start in sorted(self.lines):
            self.add(start)

    def read(self, path):
        start, section = None, ""
        for line in run("objdump", "-dw", "--no-show-raw-insn",
                        path).splitlines():
            if line.startswith("Disassembly of section "):
                section = line[23:-1]
            head, found = HEAD.match(line), LINE.match(line)
            if head:
                start = int(head.group(1), 16)
                self.starts[start] = self.data.name(
                    head.group(2).split("@@")[0])
            elif found and section not in NO_CODE and \
                    SIGNATURE not in found.group(2):
                at = int(found.group(1), 16)
                self.lines[start].append((at, found.group(2)))
                self.place_of[at] = start

    def split_aborts(self):
        for start, name in list(self.starts.items()):
            if name != ABORTS:
                continue
            for at, text in self.lines.pop(start):
                to = self.place_of.get(int(TARGET.search(text).group(1), 16))
                own = -1 - (start if to is None else to)
                self.starts[own] = self.starts.get(to, name) + ".abort"
                self.lines[own].append((at, text))
                self.place_of[at] = own

    def add(self, start):
        lines, used = self.lines[start], len(self.lines[start])
        while used and PADDING.match(lines[used - 1][1]):
            used -= 1
        text = "\n".join(self.symbolic(start, at, one)
                         for at, one in lines[:used])
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        name = self.starts[start]
        while (name, key) in self.functions:
            name += "'"  # a twin, by its place
        self.functions[name, key] = [at for at, _ in lines]
        for number, (at, _) in enumerate(lines):
            self.index[at] = (name, key), number

    def names(self):
        """Of functions and variables, without the compiler's parts."""
        return {name.partition(".")[0] for name in self.starts.values()} | \
            {name.partition(".")[0] for _, _, name in self.data.objects}

    def identity(self):
        """Of all functions together."""
        text = " ".join(sorted(name + key for name, key in self.functions))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def symbolic(self, start, at, text):
        """The instruction, and where in its function."""
        found = COMMENT.search(text)
        text = text.split("  #")[0].rstrip()
        if found:
            text = NEAR_RIP.sub(lambda _: self.place(start, int(
                found.group(1), 16)), text)
        elif TARGET.search(text):
            text = TARGET.sub(lambda m: self.target(start, m), text)
        return "%d %s" % (at - start if start >= 0 else 0, text)

    def target(self, start, found):
        to = int(found.group(1), 16)
        place = self.place_of.get(to)
        if place is None:
            return found.group(2)
        return self.code(start, place, to)

    def code(self, start, place, to):
        own = "" if place == start else self.starts[place]
        return "%s+%d" % (own, to - place if place >= 0 else 0)

    def place(self, start, at):
        """What an address means to the function that begins at start."""
        data = self.data
        if at in self.place_of:
            return self.code(start, self.place_of[at], at)
        if at in data.slots:
            return data.slots[at]
        section, found = data.section_of(at), data.object_at(at)
        if section == "__rseq_cs":
            return self.descriptor(start, at)
        if section == ".got" and at in data.pointers:
            return "got " + self.place(start, data.pointers[at])
        if found and section not in (".rodata", ".data.rel.ro"):
            return "%s+%d" % (found[2], at - found[0])
        if found:
            return "%s+%d=%s" % (found[2], at - found[0],
                                 self.contents(found[0], found[1]))
        if section and section.startswith(".rodata"):
            return self.nameless(start, at)
        return "%s+%d" % (section, at - data.sections[section][3]) \
            if section else "%#x" % at

    def contents(self, at, size):
        """Of an object that nobody writes; pointers by what they lead to."""
        data = self.data
        if at in data.seen:
            return data.seen[at]
        data.seen[at] = "itself"
        out, raw = hashlib.sha256(), data.bytes_at(at, size)
        for i in range(0, size, 8):
            pointer = data.pointers.get(at + i)
            word = raw[i:i + 8] if pointer is None else \
                self.place(-1 << 62, pointer).encode()
            out.update(data.slots.get(at + i, "").encode() + word + b";")
        data.seen[at] = out.hexdigest()[:16]
        return data.seen[at]

    def descriptor(self, start, at):
        data = self.data
        (length,) = struct.unpack("<Q", data.bytes_at(at + 16, 8))
        ends = [self.place(start, data.pointers[at + i]) for i in (8, 24)]
        return "section %s %d %s" % (ends[0], length, ends[1])

    def nameless(self, start, at):
        """A switch's table, a string, or a constant."""
        data, table = self.data, []
        while True:
            raw = data.bytes_at(at + 4 * len(table), 4)
            to = at + struct.unpack("<i", raw)[0] if len(raw) == 4 else None
            if to not in self.place_of or not self.is_part(start, to):
                break
            table.append(self.code(start, self.place_of[to], to))
        if table:
            return "switch " + " ".join(table)
        raw = data.bytes_at(at, 4096)
        text = raw[:raw.find(b"\0") + 1]
        if len(text) > 1 and all(32 <= c < 127 or c in b"\n\t"
                                 for c in text[:-1]):
            return repr(text)
        return raw[:CONSTANT_SIZE].hex()

    def is_part(self, start, to):
        """The function itself or a part that the compiler cut off."""
        own, other = self.starts.get(start, ""), \
            self.starts[self.place_of[to]]
        return own.split(".")[0] == other.split(".")[0]
