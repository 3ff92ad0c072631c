"""Rules that other programs check."""

import os
import subprocess

import source


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


def check_docs(root):
    """The generated pages say what the sources say."""
    here = os.path.dirname(os.path.abspath(__file__))
    script = os.path.join(here, "../../docs/generate/generate.py")
    return run(root, ["python3", script, "--check", "--root", root])
