#!/usr/bin/env python3
"""Boots Debian's kernels on emulated machines and runs the tests in them.

A cell (cells.txt) is one machine: a processor, a kernel, CPUs, nodes, memory
and what is set in it. qemu-system emulates it without special rights; its
whole disk is an initramfs of the library, the programs and the libraries that
they need. What the machine says comes by its serial line, and is judged here.
At the end stands one table. Exit status 1 where a program failed, a machine
did not come to its end, or one could not do what its cell asks for.

No verdict depends on how much else is done here: bounds count seconds that a
machine could use (watch.py), and what --within leaves no time for, or no mirror
gave then, is said, and is no failure.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import cells  # noqa: E402
import image  # noqa: E402
import result  # noqa: E402
from watch import Watch  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(HERE, "../../tests")
MODULES = ["lzo-rle", "zram"]
POLL_SECONDS = 1
# A kernel that changes its own code while it boots may meet the emulator's
# stale copy, and dies of it.
BOOTS_MOST = 3
QEMU = {"amd64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}


class Unfetched(Exception):
    """A mirror gave nothing, and nothing was fetched before."""


def run_script(words, what="packages"):
    """One that fetches: false where it says, by 3, that no suite offers it."""
    status = subprocess.run(words, check=False,
                            stdin=subprocess.DEVNULL).returncode
    if status not in (0, 3):
        raise Unfetched(what)
    return status == 0


class Lab:
    """The place of all that is fetched and made: BUILD/lab."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.dir = os.path.join(self.build, "lab")
        self.logs = os.path.join(self.dir, "logs")
        self.rows = os.path.join(self.dir, "rows")
        os.makedirs(self.logs, exist_ok=True)

    def programs_build(self, arch):
        return self.build if arch == "amd64" else \
            os.path.join(self.build, "aarch64")

    def busybox(self, arch):
        root = os.path.join(self.dir, "busybox-" + arch)
        program = os.path.join(root, "bin/busybox")
        if not os.path.exists(program):
            run_script([os.path.join(TESTS, "foreign-packages.sh"), arch,
                        root, "busybox-static"])
        return program

    def libc(self, cell):
        """The folder of another suite's libc; empty: the machine's own."""
        if not cell.suite():
            return ""
        root = os.path.join(self.dir, "libc-%s-%s" % (cell.suite(), cell.arch))
        if not os.path.exists(root):
            os.environ["SUITE"] = cell.suite()
            run_script([os.path.join(TESTS, "foreign-packages.sh"), cell.arch,
                        root, "libc6", "libgcc-s1"])
        return os.path.join(root, "usr/lib", image.TRIPLES[cell.arch])

    def qemu(self, cell):
        """The emulator: for memory tagging another suite's, which runs with
        this machine's libraries."""
        suite = cell.value_of("mte")
        if not suite:
            return QEMU[cell.arch]
        root = os.path.join(self.dir, "qemu-" + suite)
        if not os.path.exists(root):
            os.environ["SUITE"] = suite
            run_script([os.path.join(TESTS, "foreign-packages.sh"), "amd64",
                        root, "qemu-system-arm"], "emulator")
        return os.path.join(root, "usr/bin", QEMU[cell.arch])

    def kernel(self, cell):
        """The folder of a kernel; None where no suite offers it."""
        os.environ["BUSYBOX"] = self.busybox("amd64")
        os.environ["SUITE"] = cell.suite()
        kernels = os.path.join(self.dir, "kernels", cell.suite())
        offered = run_script([os.path.join(HERE, "kernel.sh"), cell.arch,
                              kernels, cell.kernel] + MODULES, "kernel")
        return os.path.join(kernels, cell.kernel) if offered else None


def numa(cell):
    if cell.nodes == 1:
        return []
    words, each = [], cell.cpus // cell.nodes
    for node in range(cell.nodes):
        words += ["-object", "memory-backend-ram,id=m%d,size=%dM" %
                  (node, cell.mib // cell.nodes),
                  "-numa", "node,nodeid=%d,memdev=m%d,cpus=%d-%d" %
                  (node, node, node * each, node * each + each - 1)]
    return words


def command(cell, qemu, kernel, initrd):
    """Multi-threaded emulation: an emulated CPU is a thread of qemu's."""
    if cell.arch == "amd64":
        machine, cpu, console = "q35", "max", "ttyS0"
    else:
        # Checksums of pointers as the architecture has them take most of
        # the emulator's time.
        machine, cpu, console = "virt,gic-version=3", \
            "max,pauth-impdef=on", "ttyAMA0"
        if cell.value_of("mte"):
            machine += ",mte=on"
    return ["nice", "-n", "10", qemu, "-nodefaults", "-nographic",
            "-no-reboot", "-serial", "stdio", "-machine", machine, "-cpu",
            cpu, "-accel", "tcg,thread=multi", "-smp", str(cell.cpus),
            "-m", "%dM" % cell.mib, "-kernel",
            os.path.join(kernel, "vmlinuz"), "-initrd", initrd, "-append",
            "console=%s rdinit=/init loglevel=2 panic=-1" % console] + \
        numa(cell)


def stop(_number, _frame):
    """As by a key: the machine that runs is ended, too."""
    raise KeyboardInterrupt


def wait_for(process, cell, log, until):
    """Why the machine was not waited for any longer; none: it ended."""
    watch = Watch(process.pid, log)
    while True:
        try:
            process.wait(POLL_SECONDS)
            return ""
        except subprocess.TimeoutExpired:
            watch.look()
        if watch.seconds > cell.bound:
            return "took too long"
        if watch.silent > cell.each:
            return "hangs"
        if until and time.monotonic() > until:
            return result.NO_TIME


def boot(cell, words, log, until):
    """Runs the machine; why it was ended, if it was, and its seconds."""
    began = time.monotonic()
    with open(log, "wb") as out:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=subprocess.STDOUT)
        try:
            why = wait_for(process, cell, log, until)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return why, time.monotonic() - began


def try_cell(lab, cell, until):
    """Where there is a bound for all, what a mirror does is no verdict."""
    try:
        return run_cell(lab, cell, until)
    except Unfetched as what:
        found = result.Result(cell).impossible("cannot fetch its %s" % what)
        found.unknown = until is not None
        return found


def run_cell(lab, cell, until):
    kernel = lab.kernel(cell)
    if not kernel:
        return result.Result(cell).impossible("no suite offers its kernel")
    programs = cells.resolve(cell, lab.programs_build(cell.arch))
    initrd = os.path.join(lab.dir, cell.name + ".cpio")
    libc = image.make(initrd, lab.programs_build(cell.arch),
                      lab.busybox(cell.arch), kernel, cell, programs,
                      lab.libc(cell))
    words = command(cell, lab.qemu(cell), kernel, initrd)
    log = os.path.join(lab.logs, cell.name + ".log")
    for _ in range(BOOTS_MOST):
        why, seconds = boot(cell, words, log, until)
        with open(log, encoding="utf-8", errors="replace") as f:
            found = result.read(cell, programs, f.read(), why, seconds, libc)
        if not found.died_in_its_boot():
            break
        print("lab: %s did not boot: its kernel died" % cell.name)
    os.unlink(initrd)
    return found


def missing_tools(chosen):
    return [tool for tool in sorted({QEMU[c.arch] for c in chosen})
            if not shutil.which(tool)]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--table", action="store_true",
                        help="what they said last, in Markdown")
    parser.add_argument("--patience", type=float, default=1,
                        help="all bounds of time so many times as long")
    parser.add_argument("--within", type=float,
                        help="seconds that all cells together may take")
    parser.add_argument("--programs", type=lambda text: text.split(","),
                        help="these in place of the cells' own")
    parser.add_argument("cells", nargs="*", help="names or patterns of cells")
    return parser.parse_args()


def time_of_next(options, began, nr_left):
    """When the next cell must have ended: an equal part of what is left."""
    if not options.within:
        return None
    now = time.monotonic()
    return now + max(began + options.within - now, 0) / nr_left


def main():
    options = parse_arguments()
    chosen = cells.choose(cells.load(), options.cells)
    if options.list:
        print("\n".join(cell.name for cell in chosen))
        return 0
    lab = Lab(options.build)
    if options.table:
        print(result.stored(lab.rows, chosen))
        return 0
    missing = missing_tools(chosen)
    if missing:
        print("lab: needs %s; install qemu-system-x86 and qemu-system-arm" %
              " and ".join(missing), file=sys.stderr)
        return 3
    signal.signal(signal.SIGTERM, stop)
    results, began = [], time.monotonic()
    try:
        for cell in chosen:
            until = time_of_next(options, began, len(chosen) - len(results))
            cell.words = options.programs or cell.words
            cell.be_patient(options.patience)
            print("lab: starts %s" % cell.name, flush=True)
            results.append(try_cell(lab, cell, until))
            results[-1].tell()
            result.store(lab.rows, results[-1])
    except KeyboardInterrupt:
        print("lab: stopped; no more than these ran")
    print(result.table(results))
    return 0 if len(results) == len(chosen) and \
        all(r.good() for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
