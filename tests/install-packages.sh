#!/bin/bash
# Installs those of the named Debian packages that are missing.
#
# Usage: install-packages.sh PACKAGE...
#
# As root, or through `sudo -n`. No recommended packages; none of the services
# that the packages bring is started. Exit status: 0 all are installed,
# 1 apt-get could not install them, 2 usage, 3 this user may not install (the
# one line on stderr then names the packages and the command).
set -u -o pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

policy=/usr/sbin/policy-rc.d
policy_ours=
policy_aside=
log=
as_root=()

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = \
		installed ]
}

find_missing() {
	local package

	missing=()
	for package in "$@"; do
		is_installed "$package" || missing+=("$package")
	done
}

have_lists() {
	compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null
}

# Postinst scripts ask this file before they start a service; 101 is "no".
forbid_services() {
	if [ -e "$policy" ]; then
		"${as_root[@]}" "$policy" lanemalloc-tests start \
			</dev/null >/dev/null 2>&1
		[ $? -eq 101 ] && return 0
		policy_aside=$policy.aside.$$
		"${as_root[@]}" mv "$policy" "$policy_aside" || return 1
	fi
	policy_ours=1
	printf '#!/bin/sh\nexit 101\n' |
		"${as_root[@]}" tee "$policy" >/dev/null &&
		"${as_root[@]}" chmod 755 "$policy"
}

cleanup() {
	if [ -n "$policy_ours" ]; then
		"${as_root[@]}" rm -f "$policy"
		[ -z "$policy_aside" ] ||
			"${as_root[@]}" mv "$policy_aside" "$policy"
	fi
	[ -z "$log" ] || rm -f "$log"
}

apt() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
		apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 \
		-o Acquire::Retries=3 -o Acquire::http::Timeout=30 \
		-o Dpkg::Options::=--force-confdef \
		-o Dpkg::Options::=--force-confold "$@" </dev/null
}

update_lists() {
	echo "packages: reading the package lists" >&2
	apt update >"$log" 2>&1
}

install_missing() {
	apt install --no-install-recommends "${missing[@]}" 2>&1 |
		tee "$log" |
		sed -n -u -e 's/^Need to get /packages: to download: /p' \
			-e 's/^Setting up /packages: set up /p' >&2
}

if [ $# -eq 0 ]; then
	echo "usage: install-packages.sh PACKAGE..." >&2
	exit 2
fi
if ! command -v dpkg-query >/dev/null; then
	echo "packages: not a Debian system; needed: $*" >&2
	exit 3
fi
find_missing "$@"
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	as_root=(sudo -n)
	if ! sudo -n true 2>/dev/null; then
		echo "packages: missing; as root:" \
			"apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 3
	fi
fi

log=$(mktemp) || exit 1
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
forbid_services || exit 1
echo "packages: installing ${missing[*]}" >&2
have_lists || update_lists
if ! install_missing; then
	update_lists && install_missing
fi
find_missing "$@"
if [ ${#missing[@]} -gt 0 ]; then
	tail -n 20 "$log" | sed 's/^/# /' >&2
	echo "packages: could not install ${missing[*]}" >&2
	exit 1
fi
