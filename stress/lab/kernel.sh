#!/usr/bin/env bash
# Fetches Debian's kernels for a lab machine, from the suites that this
# machine's own apt knows or from SUITE, without telling its dpkg and apt of
# them.
#
# Usage: [SUITE=NAME] kernel.sh ARCHITECTURE DIRECTORY METAPACKAGE MODULE...
#
# Unpacks what METAPACKAGE depends on (newer suites have a package for the
# image and one for the modules) and leaves in DIRECTORY/METAPACKAGE:
# `vmlinuz`, `release` (the kernel's version, as uname -r says) and
# `modules/`, the named MODULEs and what they need, with `modules/order`, in
# which to load them. What is there with these modules is not fetched again.
# Exit status: 0 it is there, 3 no suite offers it.
set -eu -o pipefail

arch=$1 dir=$2 meta=$3
shift 3
wanted="$arch $*"
[ "$(cat "$dir/$meta/wanted" 2>/dev/null)" != "$wanted" ] || exit 0
mkdir -p "$dir"
dir=$(realpath "$dir")
state=$dir/apt-$arch
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
# shellcheck source=SCRIPTDIR/../../tests/suite.sh
. "$(dirname "$0")/../../tests/suite.sh"
suite_sources "$state"

foreign() {
	local tool=$1

	shift
	"$tool" -o Dir::State="$state" -o Dir::State::status=/dev/null \
		-o Dir::State::lists="$state/lists" \
		-o Dir::Cache="$state/cache" -o APT::Architecture="$arch" \
		-o APT::Architectures="$arch" -o APT::Sandbox::User=root \
		-o Acquire::Retries=3 -o Acquire::http::Timeout=30 \
		-o Acquire::Languages=none "${sources[@]}" "$@" </dev/null
}

# The one that carries the kernel; a meta package names it first.
package_behind() {
	foreign apt-cache depends "$1" 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | sed 1q
}

# Lists of another day name packages that may be gone.
if [ ! -e "$state/fetched" ] ||
	[ -n "$(find "$state/fetched" -mmin +600)" ]; then
	foreign apt-get -qq update
	touch "$state/fetched"
fi
package=$(package_behind "$meta")
if [ -z "$package" ]; then
	echo "kernel.sh: no suite here offers $meta for $arch" >&2
	exit 3
fi
mapfile -t parts < <(foreign apt-cache depends "$package" 2>/dev/null |
	sed -n 's/^ *Depends: \(linux-\(binary\|modules\)-[^ ]*\)$/\1/p')
(cd "$work" && foreign apt-get -qq download "$package" "${parts[@]}")
mkdir "$work/root"
for file in "$work"/*.deb; do
	dpkg -x "$file" "$work/root"
done
base=$work/root
[ -d "$base/lib/modules" ] || base=$work/root/usr
release=$(ls "$base/lib/modules")
tree=$base/lib/modules/$release
out=$dir/$meta.new
rm -rf "$out"
mkdir -p "$out/modules"
"${BUSYBOX:-busybox}" depmod -b "$base" "$release"
: >"$out/modules/order"
for module in "$@"; do
	# A kernel that has it built in, or not at all, has no file of it.
	line=$(grep -E "/$module\.ko[^:]*:" "$tree/modules.dep") || continue
	for file in $(printf '%s\n' "${line/:/ }" | tr ' ' '\n' | tac); do
		name=${file##*/}
		name=${name%.xz}
		grep -qxF "$name" "$out/modules/order" && continue
		xz -dcf "$tree/$file" >"$out/modules/$name"
		echo "$name" >>"$out/modules/order"
	done
done
image=$work/root/boot/vmlinuz-$release
[ -e "$image" ] || image=$tree/vmlinuz
cp "$image" "$out/vmlinuz"
echo "$release" >"$out/release"
echo "$wanted" >"$out/wanted"
rm -rf "${dir:?}/$meta"
mv "$out" "$dir/$meta"
