"""machine: the library's instructions and the ways between them.

Read from objdump, addr2line and the file's own tables. A way is a pair of
offsets. Calls count as ways to what is called; a call that cannot return has
no way on. An indirect jump leads to whatever in its function nothing else
leads to (the cases of a switch); a section may abort at each instruction.
"""
import re
import struct
import subprocess
from collections import defaultdict

LINE = re.compile(r"^\s*([0-9a-f]+):\t(\S+)\s*(.*)$")
HEAD = re.compile(r"^([0-9a-f]+) <(.*)>:$")
TARGET = re.compile(r"^(?:\*)?([0-9a-f]+) <([^>]*)>")
COMMENT = re.compile(r"# ([0-9a-f]+) <")
PREFIXES = ("notrack", "bnd", "lock", "rep", "repz", "repnz", "cs", "ds")


class Instruction:
    """One line of objdump."""

    def __init__(self, at, symbol, words):
        self.at = at
        self.symbol = symbol
        self.words = words
        while len(words) > 1 and words[0] in PREFIXES:
            words = words[1:]
        self.name = words[0]
        self.operands = " ".join(words[1:])
        found = TARGET.match(self.operands)
        self.target = int(found.group(1), 16) if found else None
        self.target_name = found.group(2) if found else None
        self.next = None
        self.frames = []

    def is_jump(self):
        return self.name in ("jmp", "jmpq")

    def is_branch(self):
        return self.name.startswith("j") and not self.is_jump()

    def is_call(self):
        return self.name in ("call", "callq")

    def ends(self):
        return self.name in ("ret", "retq", "ud2", "hlt", "ud1", "ud1l")


def run(*command, text=None):
    return subprocess.run(command, input=text, stdout=subprocess.PIPE,
                          check=True, universal_newlines=True).stdout


def read_instructions(library, wanted):
    """wanted: offsets; None, all."""
    code, symbol, last = {}, "", None
    for line in run("objdump", "-dw", "--no-show-raw-insn",
                    library).splitlines():
        head = HEAD.match(line)
        if head:
            symbol, last = head.group(2).split("@")[0], None
            continue
        found = LINE.match(line)
        if not found or (wanted is not None and
                         int(found.group(1), 16) not in wanted):
            continue
        one = Instruction(int(found.group(1), 16), symbol,
                          (found.group(2) + " " + found.group(3)).split())
        code[one.at] = one
        if last:
            last.next = one.at
        last = one
    return code


def read_frames(library, code):
    """Of each instruction [(function, place)], the innermost first."""
    asked = sorted(code)
    out = run("addr2line", "-aife", library,
              text="".join("%#x\n" % at for at in asked)).splitlines()
    frames, i = None, 0
    while i < len(out):
        if out[i].startswith("0x"):
            frames = code[int(out[i], 16)].frames
            i += 1
            continue
        place = out[i + 1].split(" ")[0]
        frames.append((out[i].split(".")[0], place))
        i += 2


class Elf:
    """The tables of a 64-bit file: sections and relative relocations."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        (offset,) = struct.unpack_from("<Q", self.data, 0x28)
        size, count, names = struct.unpack_from("<HHH", self.data, 0x3a)
        heads = [struct.unpack_from("<IIQQQQIIQQ", self.data,
                                    offset + i * size) for i in range(count)]
        base = heads[names][4]
        self.sections = {}
        for head in heads:
            start = base + head[0]
            name = self.data[start:self.data.index(b"\0", start)].decode()
            self.sections[name] = head

    def is_in(self, section, where):
        head = self.sections.get(section)
        return head and head[3] <= where < head[3] + head[5]

    def pointed_at(self):
        """What pointers in the file lead to, but those about sections."""
        return {what for where, what in self.relative().items()
                if not self.is_in("__rseq_cs", where) and
                not self.is_in("__rseq_exit_point_array", where)}

    def table(self, section, form):
        """The rows of a section that is one."""
        head = self.sections.get(section)
        if not head:
            return
        for at in range(head[4], head[4] + head[5], struct.calcsize(form)):
            yield struct.unpack_from(form, self.data, at)

    def relative(self):
        """Where -> what, of all pointers in the file."""
        return {where: what for where, info, what in
                self.table(".rela.dyn", "<QQq") if info & 0xffffffff == 8}

    def aborts(self):
        """(start, end, abort handler) of each rseq section."""
        relative, out = self.relative(), []
        for i, row in enumerate(self.table("__rseq_cs", "<QQQQ")):
            at = self.sections["__rseq_cs"][3] + 32 * i
            start = relative[at + 8]
            out.append((start, start + row[2], relative[at + 24]))
        return out


class Machine:
    def __init__(self, library, wanted):
        self.code = read_instructions(library, wanted)
        read_frames(library, self.code)
        self.library = library
        self.elf = Elf(library)
        self.of_symbol = defaultdict(list)
        for one in self.code.values():
            self.of_symbol[one.symbol.split(".")[0]].append(one.at)
        self.stuck = set()  # entries from which nothing returns
        self.ways = {}
        self.find_ways()

    def entry(self, one):
        """What a call or a tail jump leads to, if it is the library's."""
        return one.target if one.target in self.code else None

    def inside(self, one):
        """The ways of one instruction but for calls and switches."""
        out = []
        if one.is_jump() or one.is_branch():
            if self.entry(one) is not None:
                out.append(one.target)
            if one.is_jump():
                return out
        if one.ends() or (one.is_call() and one.target in self.stuck):
            return out
        if one.next:
            out.append(one.next)
        return out

    def tail_leaves(self, one):
        """Jumps out of the library, or to wherever a pointer says."""
        return one.is_jump() and self.entry(one) is None

    def find_stuck(self):
        """Functions that cannot return, until no more are found."""
        entries = {self.entry(one) for one in self.code.values()
                   if one.is_call()} - {None}
        while True:
            ways = {at: self.inside(one) for at, one in self.code.items()}
            good = {at for at, one in self.code.items()
                    if one.name.startswith("ret") or self.tail_leaves(one)}
            grown = backwards(ways, good)
            fresh = entries - grown - self.stuck
            self.returns = grown
            if not fresh:
                return
            self.stuck |= fresh

    def find_ways(self):
        self.find_stuck()
        ways = {at: self.inside(one) for at, one in self.code.items()}
        self.calls = defaultdict(list)
        for at, one in self.code.items():
            if one.is_call() and self.entry(one) is not None:
                self.calls[at].append(one.target)
            found = COMMENT.search(one.operands)
            if one.name.startswith("lea") and found and \
                    int(found.group(1), 16) in self.code:
                self.calls[at].append(int(found.group(1), 16))
        for start, end, abort in self.elf.aborts():
            for at in range(start, end):
                if at in ways and abort in self.code:
                    ways[at].append(abort)
        self.ways = ways
        self.find_switches()

    def led(self):
        """What a way or a call leads to."""
        return {to for of in (self.ways, self.calls) for all_ in of.values()
                for to in all_}

    def find_switches(self):
        led = self.led()
        for at, one in self.code.items():
            if not self.tail_leaves(one) or one.target is not None:
                continue
            for to in self.of_symbol[one.symbol.split(".")[0]]:
                if to not in led and to != self.first_of(to):
                    self.ways[at].append(to)

    def first_of(self, at):
        symbol = self.code[at].symbol
        return min(k for k in self.of_symbol[symbol.split(".")[0]]
                   if self.code[k].symbol == symbol)

    def dead(self):
        """Functions that are there and that nothing leads to."""
        led = self.led()
        return {at for at in self.code
                if at not in led and at == self.first_of(at)} - \
            self.entered()

    def roots(self):
        """What no way leads to."""
        return set(self.code) - self.led() | self.entered()

    def entered(self):
        """What is entered from outside."""
        out = self.elf.pointed_at() & set(self.code)
        for line in run("nm", "-D", "--defined-only",
                        self.library).splitlines():
            out.add(int(line.split()[0], 16))
        return out & set(self.code)


def backwards(ways, good):
    """All from which something of good is reached."""
    back = defaultdict(list)
    for at, all_ in ways.items():
        for to in all_:
            back[to].append(at)
    seen, work = set(good), list(good)
    while work:
        for at in back[work.pop()]:
            if at not in seen:
                seen.add(at)
                work.append(at)
    return seen
