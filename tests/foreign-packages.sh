#!/usr/bin/env bash
# Unpacks Debian packages of another architecture below a directory, without
# telling the machine's own dpkg and apt of that architecture.
#
# Usage: [SUITE=NAME] [NEEDED=1] foreign-packages.sh ARCHITECTURE DIRECTORY
#	PACKAGE...
#
# From the suites that this machine knows, or from that one of Debian's. With
# NEEDED all that the packages depend on comes along, down to libc.
set -eu -o pipefail

arch=$1 dir=$2
shift 2
mkdir -p "$dir"
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
chmod 755 "$state"
mkdir -p "$state"/lists/partial "$state"/cache/archives/partial
# shellcheck source=SCRIPTDIR/suite.sh
. "$(dirname "$0")/suite.sh"
suite_sources "$state"

foreign_apt() {
	apt-get -qq -o Dir::State="$state" -o Dir::State::status=/dev/null \
		-o Dir::State::lists="$state/lists" \
		-o Dir::Cache="$state/cache" -o APT::Architecture="$arch" \
		-o APT::Architectures="$arch" -o APT::Sandbox::User=root \
		-o Acquire::Retries=3 -o Acquire::http::Timeout=30 \
		-o Acquire::Languages=none "${sources[@]}" "$@" </dev/null
}

foreign_apt update
packages=("$@")
if [ -n "${NEEDED-}" ]; then
	mapfile -t packages < <(foreign_apt --no-install-recommends -s install \
		"$@" | awk '$1 == "Inst" { print $2 }')
fi
(cd "$state" && foreign_apt download "${packages[@]}")
for package in "$state"/*.deb; do
	dpkg -x "$package" "$dir"
done
