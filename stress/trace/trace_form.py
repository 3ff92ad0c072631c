"""Raw recordings, and the compact form that replay reads.

A trace begins with the bytes LTRACE1 and a newline, then numbers of 7 bits a
byte, the lowest first: threads, blocks, events, microseconds, live bytes at
the peak. Then the events in their order; each is one number, the kind in its
lowest three bits and a value above, and maybe a second number:

    ALLOC, ZERO size; ALIGNED shift, size; RESIZE age, size; FREE age;
    THREAD number: what follows is its; PAUSE microseconds;
    END: the thread ends, and the next event is THREAD

Blocks are numbered by their birth; the age of one is how many were born since
it was, itself included. A block keeps its number when it is resized.
"""

import lzma
import mmap
import struct

MAGIC = b"LTRACE1\n"
ALLOC, ZERO, ALIGNED, RESIZE, FREE, THREAD, PAUSE, END = range(8)
PAUSE_US = 200      # shorter ones are added up

RAW_MAGIC = 0x3130776172656e61
HEADER_SIZE, CHUNK_SIZE = 4096, 256 << 10
CHUNK_HEAD = struct.Struct("<QI52x")
EVENT = struct.Struct("<QQQQBB6x")
(RAW_ALLOC, RAW_ZERO, RAW_ALIGNED, RAW_FREE, RAW_RESIZE, RAW_RESIZED,
 RAW_END) = range(1, 8)
BIRTHS = {RAW_ALLOC: ALLOC, RAW_ZERO: ZERO, RAW_ALIGNED: ALIGNED}


def read_raw(path):
    """[(order, thread, ns, op, block, size, shift)] in order."""
    events = []
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0,
                                          prot=mmap.PROT_READ) as data:
        if struct.unpack_from("<Q", data)[0] != RAW_MAGIC:
            raise ValueError("%s is no recording" % path)
        at = HEADER_SIZE
        while at + CHUNK_SIZE <= len(data):
            thread, taken = CHUNK_HEAD.unpack_from(data, at)
            if not taken:
                break
            begin = at + CHUNK_HEAD.size
            most = (CHUNK_SIZE - CHUNK_HEAD.size) // EVENT.size
            end = begin + min(taken, most) * EVENT.size
            for order, ns, block, size, op, shift in EVENT.iter_unpack(
                    data[begin:end]):
                if order:
                    events.append((order, thread, ns, op, block, size,
                                   shift))
            at += CHUNK_SIZE
    return sorted(events)


class Writer:
    """Turns raw events into the compact form's events and numbers."""

    def __init__(self):
        self.stream = bytearray()
        self.nr_events = 0
        self.births = 0
        self.live = {}      # address: (number, size)
        self.moving = {}    # thread: its block between RESIZE and RESIZED
        self.bytes = self.peak = 0
        self.threads = {0: 0}
        self.thread = 0
        self.us = 0

    def number(self, value):
        while value > 127:
            self.stream.append(value & 127 | 128)
            value >>= 7
        self.stream.append(value)

    def event(self, kind, value, second=None):
        self.number(value << 3 | kind)
        if second is not None:
            self.number(second)
        self.nr_events += 1

    def turn(self, thread, us):
        """Who is at work, and since when."""
        number = self.threads.setdefault(thread, len(self.threads))
        if number != self.thread:
            self.event(THREAD, number)
            self.thread = number
        if us - self.us >= PAUSE_US:
            self.event(PAUSE, us - self.us)
            self.us = us

    def grow(self, more):
        self.bytes += more
        self.peak = max(self.peak, self.bytes)

    def birth(self, kind, block, size, shift):
        if kind == ALIGNED:
            self.event(kind, shift, size)
        else:
            self.event(kind, size)
        self.live[block] = (self.births, size)
        self.births += 1
        self.grow(size)

    def death(self, block):
        number, size = self.live.pop(block)
        self.event(FREE, self.births - number)
        self.bytes -= size

    def resized(self, old, block, size):
        """`block` 0: realloc failed, the old one is as it was."""
        address, (number, before) = old
        if not block:
            self.live[address] = (number, before)
            return
        self.live[block] = (number, size)
        self.event(RESIZE, self.births - number, size)
        self.grow(size - before)


def convert(raw):
    """The compact form of read_raw()'s events. Blocks from before the
    recording are left out; their realloc is a birth."""
    out = Writer()
    last = {}   # thread: the index of its last event, if it ends
    for index, event in enumerate(raw):
        if event[3] == RAW_END or event[1] in last:
            last[event[1]] = index
    ends = {index for thread, index in last.items() if thread}
    for index, (_, thread, ns, op, block, size, shift) in enumerate(raw):
        useful = op in BIRTHS or op == RAW_RESIZED or \
            op == RAW_FREE and block in out.live
        if useful or index in ends:
            out.turn(thread, ns // 1000)
        if op in BIRTHS:
            out.birth(BIRTHS[op], block, size, shift)
        elif op == RAW_FREE and block in out.live:
            out.death(block)
        elif op == RAW_RESIZE and block in out.live:
            out.moving[thread] = (block, out.live.pop(block))
        elif op == RAW_RESIZED:
            old = out.moving.pop(thread, None)
            if old:
                out.resized(old, block, size)
            elif block:
                out.birth(ALLOC, block, size, 0)
        if index in ends:
            out.event(END, 0)
            out.event(THREAD, 0)
            out.thread = 0
    return finish(out, raw)


def finish(out, raw):
    head = Writer()
    for value in (len(out.threads), out.births, out.nr_events,
                  max((event[2] for event in raw), default=0) // 1000,
                  out.peak):
        head.number(value)
    return MAGIC + bytes(head.stream) + bytes(out.stream)


def pack(data):
    return lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)


def numbers(data, at):
    while at < len(data):
        value = shift = 0
        while data[at] & 128:
            value |= (data[at] & 127) << shift
            shift += 7
            at += 1
        yield value | data[at] << shift
        at += 1


def decode(data):
    """(the head's five numbers, [(kind, value, second)])."""
    if not data.startswith(MAGIC):
        raise ValueError("no trace")
    stream = numbers(data, len(MAGIC))
    head = [next(stream) for _ in range(5)]
    events = []
    for word in stream:
        kind, value = word & 7, word >> 3
        second = next(stream) if kind in (ALIGNED, RESIZE) else None
        events.append((kind, value, second))
    return head, events
