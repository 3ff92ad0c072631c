#!/bin/bash
# What packages and their users rely on; one line for each check.
#
# Usage: tests/packages/run.sh [CHECK...]
#
#	versions	every file that repeats the version says the header's
#	install		a staged tree: consumers build and run, uninstall
#			leaves what was there before
#	abi		exported names and types are those recorded
#	upgrade		this version and a later one side by side (upgrade.sh)
#	dist		the archive is the same twice, and holds what HEAD does
#	rust		the crate: its tests, its form, its own package
#	musl		musl-gcc builds the library, programs run on it
#	deb		the Debian packages: built, without a word of lintian's,
#			with the code of a plain build
#	rpm		likewise; rpmlint
#	apk		the functions of the APKBUILD, called as abuild would
#	root		the Debian packages in a fresh root (root.sh); only when
#			named: it needs root's rights and a mirror
#
# Without one: all but root. Environment: BUILD (build), MAY_SKIP (a missing
# tool is no failure), VERBOSE. What they need on Debian: debhelper lintian
# rpm rpmlint cpio cmake pkg-config g++ abigail-tools cargo musl-tools
# debootstrap. Last line: "N passed, N failed".
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C.UTF-8
unset LD_PRELOAD LANEMALLOC_CONF MAKEFLAGS MFLAGS MAKELEVEL DESTDIR PREFIX

BUILD=$(realpath -m "${BUILD:-build}")
here=tests/packages
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
nr_passed=0
nr_failed=0
version=$(awk '/define LANEMALLOC_VERSION_/ { v = v s $3; s = "." }
	END { print v }' include/lanemalloc.h)
archive=$BUILD/dist/lanemalloc-$version.tar.gz

build() {
	make -s BUILD="$BUILD" "$@"
}

# says FILE SED-SCRIPT: what the script prints of the file is the version.
says() {
	local found

	found=$(sed -n "$2" "$1" | head -n 1)
	[ "$found" = "$version" ] ||
		{ echo "$1: ${found:-nothing}, not $version"; return 1; }
}

check_versions() {
	local status=0

	says debian/changelog '1s/.*(\(.*\)).*/\1/p' || status=1
	says packaging/lanemalloc.spec 's/^Version: *//p' || status=1
	says packaging/APKBUILD 's/^pkgver=//p' || status=1
	says contrib/rust/Cargo.toml 's/^version = "\(.*\)"/\1/p' || status=1
	says CHANGELOG.md 's/^## //p' || status=1
	return $status
}

# What a system has below its own prefixes before anything is installed there,
# and somebody's file in a folder that others share.
system_folders() {
	rm -rf "$1"
	mkdir -p "$1"/usr/{bin,include,lib/x86_64-linux-gnu,share/man} "$1/opt"
	mkdir -p "$1/usr/share/doc/other"
	: >"$1/usr/share/doc/other/copyright"
}

# staged PREFIX LIBDIR: what is installed serves, and uninstall leaves all as
# it was before.
staged() {
	local stage=$work/stage paths=("PREFIX=$1" "LIBDIR=$2")

	system_folders "$stage"
	find "$stage" | sort >"$work/before"
	build install install-command DESTDIR="$stage" "${paths[@]}" &&
		"$stage$1/bin/lanemalloc" run --print true |
		grep -q "LD_PRELOAD=$stage$2/liblanemalloc.so" &&
		"$here/consumer.sh" "$stage$1" &&
		build uninstall DESTDIR="$stage" "${paths[@]}" || return
	find "$stage" | sort | diff "$work/before" -
}

# Below a prefix of somebody's own the loader finds nothing, which is said, and
# the prefix goes with the last file.
unstaged() {
	local prefix=$work/own

	build install PREFIX="$prefix" | grep -q 'run ldconfig' &&
		build uninstall PREFIX="$prefix" && [ ! -e "$prefix" ]
}

check_install() {
	build all && staged /usr /usr/lib/x86_64-linux-gnu &&
		staged /opt/lane /opt/lane/lib && unstaged
}

check_abi() {
	build all && "$here/abi.sh" "$BUILD"
}

check_upgrade() {
	build all && "$here/upgrade.sh" "$BUILD" "$work/upgrade"
}

check_dist() {
	build dist && cp "$archive" "$work/first.tar.gz" &&
		touch "$archive" && build dist && cmp "$archive" "$work/first.tar.gz" &&
		tar -tzf "$archive" | grep -v '/$' |
		sed "s|^lanemalloc-$version/||" | sort >"$work/packed" &&
		git ls-tree -r --name-only -z HEAD | tr '\0' '\n' | sort |
		diff - "$work/packed"
}

check_rust() {
	local target=$BUILD/rust

	(
		cd contrib/rust || exit
		export CARGO_TARGET_DIR=$target CARGO_NET_OFFLINE=true
		cargo test && cargo package --allow-dirty || exit
		! command -v rustfmt >/dev/null || cargo fmt --check || exit
		LANEMALLOC_LIB_DIR=$BUILD cargo test
	)
}

check_musl() {
	"$here/musl.sh" "$BUILD/musl"
}

# The code of a library, without what differs from place to place.
text_of() {
	objcopy -O binary -j .text "$1" /dev/stdout
}

check_deb() {
	local tree=$work/tree

	build dist && DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS-nocheck} \
		packaging/build-deb.sh "$archive" "$BUILD/deb" &&
		lintian --allow-root --fail-on error,warning,info,pedantic \
			--suppress-tags no-homepage-field -I --pedantic \
			"$BUILD"/deb/*.changes || return
	mkdir "$tree" && tar -xzf "$archive" -C "$tree" --strip-components=1 &&
		make -s -C "$tree" build/liblanemalloc.so >/dev/null &&
		dpkg-deb -x "$BUILD"/deb/liblanemalloc1_*.deb "$tree/deb" || return
	text_of "$tree/build/liblanemalloc.so" >"$work/plain"
	text_of "$tree"/deb/usr/lib/*/liblanemalloc.so.1 >"$work/packaged"
	cmp "$work/plain" "$work/packaged"
}

check_rpm() {
	local top=$BUILD/rpm form

	rm -rf "$top"
	# The names of packages in BuildRequires are not Debian's.
	build dist && rpmbuild --define "_topdir $top" --nodeps \
		--without check -ta "$archive" || return
	form=$(rpmlint -c packaging/rpmlint.toml "$top"/RPMS/*/*.rpm \
		"$top"/SRPMS/*.rpm packaging/lanemalloc.spec)
	echo "$form"
	grep -q ' 0 errors, 0 warnings,' <<<"$form" || return
	mkdir "$work/rpm"
	for form in "$top"/RPMS/*/*.rpm; do
		rpm2cpio "$form" | (cd "$work/rpm" && cpio -idm --quiet) || return
	done
	"$here/consumer.sh" "$work/rpm/usr"
}

check_apk() {
	"$here/apk.sh" "$work/apk"
}

check_root() {
	[ -d "$BUILD/deb" ] || check_deb || return
	"$here/root.sh" "$BUILD/deb"
}

declare -A tools=(
	[install]='cmake pkg-config g++' [rust]=cargo [musl]=musl-gcc
	[deb]='dpkg-buildpackage dh lintian' [rpm]='rpmbuild rpmlint cpio'
	[dist]=git [root]=debootstrap)

run() {
	local tool word started=$SECONDS

	for tool in ${tools[$1]:-}; do
		command -v "$tool" >/dev/null && continue
		[ -n "${MAY_SKIP:-}" ] || nr_failed=$((nr_failed + 1))
		[ -n "${MAY_SKIP:-}" ] && word=skip || word=FAIL
		echo "$word  packages $1  needs $tool"
		return
	done
	if "check_$1" >"$work/log" 2>&1 </dev/null; then
		nr_passed=$((nr_passed + 1))
		echo "ok    packages $1  $((SECONDS - started)) s"
		[ -z "${VERBOSE:-}" ] || sed 's/^/      | /' "$work/log"
	else
		nr_failed=$((nr_failed + 1))
		echo "FAIL  packages $1"
		tail -n 60 "$work/log" | cut -c 1-400 | sed 's/^/      | /'
	fi
}

[ $# -gt 0 ] || set -- versions install abi upgrade dist rust musl deb rpm apk
for check in "$@"; do
	[ "$(type -t "check_$check")" = function ] || {
		echo "run.sh: no check $check" >&2
		exit 2
	}
	run "$check"
done
echo "$nr_passed passed, $nr_failed failed"
[ "$nr_failed" -eq 0 ]
