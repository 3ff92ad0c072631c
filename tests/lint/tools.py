"""Rules that other programs check."""

import glob
import os
import subprocess
import sys

import source

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                             "../../stress/harness"))

import faults  # noqa: E402


def run(root, command):
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode == 0:
        return []
    return done.stdout.rstrip().split("\n")


def check_shell(root):
    scripts = source.files(root, ["tests", "stress", "docs", "packaging"],
                           (".sh",))
    if os.path.exists(os.path.join(root, ".ci/run")):
        scripts.append(".ci/run")
    if not scripts:
        return []
    # SC2317 takes functions that a trap or an argument calls for dead ones.
    return run(root, ["shellcheck", "-e", "SC2317", "-x", "-P", "SCRIPTDIR",
                      "-f", "gcc", *scripts])


def clang_format(root, *how):
    here = os.path.dirname(os.path.abspath(__file__))
    style = os.path.join(here, "../../.clang-format")
    return run(root, ["clang-format", "--style=file:" + style, *how,
                      *source.files(root, ["src", "include"], (".c", ".h"))])


def check_format(root):
    """The sources are as clang-format has them; `make format` makes them."""
    said = clang_format(root, "--dry-run", "-Werror")
    return [line for line in said if ": error: " in line] or said


def check_docs(root):
    """The generated pages say what the sources say."""
    here = os.path.dirname(os.path.abspath(__file__))
    script = os.path.join(here, "../../docs/generate/generate.py")
    return run(root, ["python3", script, "--check", "--root", root])


def check_faults(root):
    """What negative controls put into the sources fits these."""
    errors = []
    for path in sorted(glob.glob(root + "/stress/*/control/faults.txt")):
        try:
            errors += faults.check(os.path.join(root, "src"), path)
        except faults.Unfit as unfit:
            errors.append(str(unfit))
    return errors
