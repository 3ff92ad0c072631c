"""The initramfs of a lab machine: the whole of its disk, as one archive."""

import glob
import os
import re
import stat
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# A machine's own clock runs while it is kept waiting.
GUEST_PATIENCE = 10
LOADED_LATE = ["libgcc_s.so.1"]
TRIPLES = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
FOLDERS = {
    "amd64": ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"],
    "arm64": ["/usr/aarch64-linux-gnu/lib"],
}


class Archive:
    """A cpio archive of the new form, as the kernel unpacks it."""

    def __init__(self, path):
        self.out = open(path, "wb")
        self.inode = 1
        self.known = set()

    def entry(self, name, mode, data=b""):
        self.inode += 1
        head = "070701" + "".join("%08x" % n for n in (
            self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0,
            len(name) + 1, 0))
        text = head.encode() + name.encode() + b"\0"
        self.out.write(text + b"\0" * (-len(text) % 4))
        self.out.write(data + b"\0" * (-len(data) % 4))

    def folder_of(self, name):
        folder = os.path.dirname(name)
        if folder and folder not in self.known:
            self.folder_of(folder)
            self.known.add(folder)
            self.entry(folder, stat.S_IFDIR | 0o755)

    def add(self, name, data, mode=0o755):
        if name in self.known:
            return
        self.folder_of(name)
        self.known.add(name)
        self.entry(name, stat.S_IFREG | mode, data)

    def add_link(self, name, to):
        self.folder_of(name)
        self.entry(name, stat.S_IFLNK | 0o777, to.encode())

    def close(self):
        self.entry("TRAILER!!!", 0)
        self.out.close()


def content(path):
    with open(path, "rb") as f:
        return f.read()


def stripped(path, objcopy):
    """Names stay, for the lines of a crash; the debugger's part goes."""
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run([objcopy, "--strip-debug", path, out.name], check=True)
        return content(out.name)


def needed(path):
    """What it names for the loader: its libraries and the loader itself."""
    text = subprocess.run(["readelf", "-W", "-d", "-l", path], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    names = re.findall(r"\(NEEDED\).*\[(.*)\]", text)
    return names, re.findall(r"program interpreter: (/[^\]]*)\]", text)


class Libraries:
    """Puts in what the programs need, found in one architecture's folders."""

    def __init__(self, archive, arch, build, libc):
        self.archive = archive
        self.folders = [build, libc] + FOLDERS[arch] + glob.glob(
            os.path.join(build, "sysroot/usr/lib/*-linux-gnu"))
        self.seen = set()
        self.libc = ""

    def find(self, name):
        for folder in self.folders:
            path = os.path.join(folder, name)
            if os.path.exists(path):
                return path
        raise FileNotFoundError(name + " in " + " ".join(self.folders))

    def add(self, name, to):
        if (name, to) in self.seen:
            return
        self.seen.add((name, to))
        path = self.find(name)
        data = content(path)
        self.archive.add(to, data)
        if name == "libc.so.6":
            self.libc = re.search(rb"version (\d+\.\d+)", data)[1].decode()
        self.add_of(path)

    def add_of(self, path):
        names, loaders = needed(path)
        for loader in loaders:
            self.add(os.path.basename(loader), loader.lstrip("/"))
        for name in names:
            self.add(name, "lib/" + name)


def add_programs(archive, libraries, build, programs, objcopy):
    folders = [os.path.join(build, "tests"),
               os.path.join(build, "lab/programs")]
    names = {word.split("/")[0] for word in programs}
    names |= {os.path.basename(p)
              for p in glob.glob(os.path.join(folders[0], "plugin_*.so"))}
    for name in sorted(names):
        path = next(p for p in (os.path.join(f, name) for f in folders)
                    if os.path.exists(p))
        libraries.add_of(path)
        archive.add("lab/tests/" + name, stripped(path, objcopy))


def add_guest(archive, busybox, kernel, cell, programs):
    archive.add("bin/busybox", content(busybox))
    archive.add_link("bin/sh", "busybox")
    archive.add("init", content(os.path.join(HERE, "guest/init.sh")))
    archive.add("lab/programs.sh",
                content(os.path.join(HERE, "guest/programs.sh")))
    archive.add("lab/cell", (
        "settings='%s'\nprograms='%s'\nseconds=%d\n" %
        (" ".join(cell.settings), " ".join(programs),
         cell.each * GUEST_PATIENCE)).encode(), 0o644)
    archive.add("etc/passwd", b"root:x:0:0::/:/bin/sh\n"
                b"lab:x:1000:1000::/tmp:/bin/sh\n", 0o644)
    archive.add("etc/group", b"root:x:0:\nlab:x:1000:\n", 0o644)
    for path in glob.glob(os.path.join(kernel, "modules/*")):
        archive.add("lab/modules/" + os.path.basename(path), content(path))


def make(path, build, busybox, kernel, cell, programs, libc):
    """Writes the archive; the version of libc that it holds. libc: a folder
    that comes first."""
    objcopy = "objcopy" if cell.arch == "amd64" else \
        "aarch64-linux-gnu-objcopy"
    archive = Archive(path)
    libraries = Libraries(archive, cell.arch, build, libc)
    add_guest(archive, busybox, kernel, cell, programs)
    for name in ["liblanemalloc.so", "liblanemalloc.so.1"] + LOADED_LATE:
        libraries.add(name, "lib/" + name)
    add_programs(archive, libraries, build, programs, objcopy)
    archive.close()
    return libraries.libc
