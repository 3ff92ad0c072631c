"""The allocators: where Debian keeps them, and the proof of a preload."""

import collections
import glob
import hashlib
import os
import platform
import re
import subprocess

from driver import Fault

# per_thread: its caches belong to threads, so that its memory grows with
# them. glibc has arenas, and small caches of threads besides.
Allocator = collections.namedtuple(
    "Allocator", "name path package per_thread")

LIBRARY_FOLDERS = ("/usr/lib/{arch}-linux-gnu", "/lib/{arch}-linux-gnu",
                   "/usr/lib64", "/usr/lib", "/usr/local/lib")
SCUDO = "/usr/lib/llvm-*/lib/clang/*/lib/linux/" \
    "libclang_rt.scudo_standalone-{arch}.so"
SUBJECT = "lanemalloc"

# name, file or pattern of a path, Debian package, per_thread
PEERS = (
    ("jemalloc", "libjemalloc.so.2", "libjemalloc2", True),
    ("mimalloc", "libmimalloc.so.2", "libmimalloc2.0", True),
    ("tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4", True),
    ("tbb", "libtbbmalloc_proxy.so.2", "libtbbmalloc2", True),
    ("scudo", SCUDO, "libclang-rt-19-dev", True),
)

# What ld.so says of a program's malloc under LD_DEBUG=bindings: which file
# serves it.
BINDING = r"binding file \S+/{} \[0\] to (\S+) \[0\]: .* `malloc'"


def find(pattern):
    """The newest file that the name or pattern means, or None."""
    arch = platform.machine()
    if not pattern.startswith("/"):
        found = [os.path.join(folder.format(arch=arch), pattern)
                 for folder in LIBRARY_FOLDERS]
        return next((path for path in found if os.path.exists(path)), None)
    found = glob.glob(pattern.format(arch=arch))
    return max(found, key=version_key) if found else None


def version_key(path):
    """llvm-19 is newer than llvm-9."""
    return [int(part) for part in "".join(
        c if c.isdigit() else " " for c in path).split()]


def own(build):
    """The library: LANEMALLOC_SO, or the one that is built."""
    return os.path.abspath(os.environ.get("LANEMALLOC_SO") or os.path.join(
        build, "liblanemalloc.so"))


def everything(library, added):
    """{name: Allocator}: ours, glibc, the peers, and those of --with."""
    known = {SUBJECT: Allocator(SUBJECT, library, None, False),
             "glibc": Allocator("glibc", None, None, False)}
    for name, pattern, package, per_thread in PEERS:
        known[name] = Allocator(name, find(pattern), package, per_thread)
    for word in added:
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise Fault("%s: NAME=PATH is wanted" % word)
        if re.search(r"[\s:]", path):
            raise Fault("%s: LD_PRELOAD takes no path with a space or a colon"
                        % path)
        known[name] = Allocator(name, os.path.abspath(path), None, True)
    return known


def choose(known, names, note):
    """Those of `names`, or all that there are; one that was asked for by its
    name and is not there is a fault, any other one is noted and left out."""
    if names:
        unknown = [name for name in names if name not in known]
        if unknown:
            raise Fault("no allocator %s; there are: %s"
                        % (unknown[0], " ".join(known)))
    chosen = []
    for allocator in (known[name] for name in names or known):
        if allocator.path or allocator.name == "glibc":
            chosen.append(allocator)
        elif names:
            raise Fault("%s is not installed (Debian: %s)"
                        % (allocator.name, allocator.package))
        else:
            note("without %s: %s is not installed"
                 % (allocator.name, allocator.package))
    return chosen


def must_be_there(allocator):
    if allocator.path and not os.access(allocator.path, os.R_OK):
        raise Fault("%s: no file %s" % (allocator.name, allocator.path))


def probe(allocator, program, environment):
    """Does it serve the program's malloc? ld.so only warns of a preload that
    does not take, and takes every library that is no malloc at all."""
    environment = {**environment, "LD_DEBUG": "bindings", "LD_BIND_NOW": "1"}
    must_be_there(allocator)
    if allocator.path:
        environment["LD_PRELOAD"] = allocator.path
    done = subprocess.run([program, "--list"], text=True, env=environment,
                          capture_output=True, check=False)
    bound = re.search(BINDING.format(
        re.escape(os.path.basename(program))), done.stderr)
    server = bound.group(1) if bound else "nowhere"
    if not serves(allocator, server):
        raise Fault("%s: malloc comes from %s, not from %s" % (
            allocator.name, server, allocator.path or "libc.so.6"))
    if done.returncode:
        raise Fault("%s: a program under %s ends with status %d"
                    % (allocator.name, allocator.path, done.returncode))


def serves(allocator, server):
    if not allocator.path:
        return os.path.basename(server).startswith(("libc.so", "libc-"))
    return os.path.realpath(allocator.path) == os.path.realpath(server)


def describe(allocator):
    """What the file of runs keeps; equal for equal libraries only."""
    digest = None
    if allocator.path:
        with open(allocator.path, "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
    return {"path": allocator.path, "sha256": digest,
            "per_thread": allocator.per_thread,
            "version": version(allocator)}


def version(allocator):
    """Of a built one what peers.sh wrote beside it, else the package's."""
    beside = os.path.splitext(allocator.path or "")[0] + ".version"
    if os.path.exists(beside):
        with open(beside, encoding="utf-8") as f:
            return f.read().strip()
    package = "libc6" if allocator.name == "glibc" else allocator.package
    if not package:
        return ""
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                          text=True, capture_output=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
