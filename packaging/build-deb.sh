#!/bin/bash
# Builds the Debian packages from the source's archive, without a network.
#
# Usage: build-deb.sh ARCHIVE DIRECTORY [OPTION OF DPKG-BUILDPACKAGE...]
#
# DIRECTORY is made anew and holds source and binary packages afterwards.
# DEB_BUILD_OPTIONS works as everywhere (nocheck, parallel=N).
set -eu -o pipefail
export LC_ALL=C.UTF-8

archive=$(realpath "$1")
directory=$(realpath -m "$2")
shift 2

rm -rf "$directory"
mkdir -p "$directory"
tar -xzf "$archive" -C "$directory"
cd "$directory"/lanemalloc-*/
# What a make above hands down is none of this build's.
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u BUILD -u CFLAGS -u PREFIX \
	dpkg-buildpackage -us -uc "$@"
