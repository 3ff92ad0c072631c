#!/bin/bash
# usage: peers.sh SOURCES BUILD
#
# Builds other allocators from the sources that lie in the folder SOURCES, each
# under the name of its repository, and prints a line NAME=PATH for each shared
# library, as bench.py takes it by --with. What is built already is not built
# again. Nothing is fetched. NAME.version tells the bench what was built.
#
#	mimalloc snmalloc jemalloc rpmalloc gperftools
#	tcmalloc	Google's, with abseil-cpp beside it
#
# Their own build files are used but for tcmalloc's, which fetch what only its
# tests need. Each gets its own defaults, as a user of a release would.
set -u
# By xargs, below: one file of tcmalloc's.
if [ "$1" = --compile ]; then
	exec g++ -std=c++17 -O2 -fPIC -w -DNDEBUG -c -I"$sources/tcmalloc" \
		-I"$sources/abseil-cpp" \
		-o "$build/tcmalloc/$(basename "$2").o" "$2"
fi
sources=$(cd "$1" && pwd) || exit 2
mkdir -p "$2" && build=$(cd "$2" && pwd) || exit 2
jobs=$(nproc)

cmake_build() { # name, folder of CMakeLists.txt, target, options
	cmake -S "$2" -B "$build/$1" -DCMAKE_BUILD_TYPE=Release "${@:4}" &&
		cmake --build "$build/$1" -j "$jobs" --target "$3"
}

build_mimalloc() {
	cmake_build mimalloc "$sources/mimalloc" mimalloc \
		-DMI_BUILD_TESTS=OFF &&
		cp -L "$build"/mimalloc/libmimalloc.so "$build/mimalloc.so"
}

build_snmalloc() {
	cmake_build snmalloc "$sources/snmalloc" snmallocshim \
		-DSNMALLOC_BUILD_TESTING=OFF &&
		cp "$build"/snmalloc/libsnmallocshim.so "$build/snmalloc.so"
}

# autoconf's products belong into the build, not into the sources.
copy() {
	rm -rf "${build:?}/$1" && cp -r "$sources/$1" "$build/$1" &&
		cd "$build/$1" || return
}

build_jemalloc() (
	copy jemalloc && autoconf && ./configure --quiet --disable-doc &&
		make -j "$jobs" build_lib_shared &&
		cp -L lib/libjemalloc.so "$build/jemalloc.so"
)

build_gperftools() (
	copy gperftools && autoreconf -i &&
		./configure --quiet --enable-minimal --disable-static &&
		make -j "$jobs" libtcmalloc_minimal.la &&
		cp -L .libs/libtcmalloc_minimal.so "$build/gperftools.so"
)

build_rpmalloc() {
	gcc -O3 -std=gnu11 -fPIC -shared -pthread -DENABLE_OVERRIDE=1 \
		-DENABLE_PRELOAD=1 -ftls-model=initial-exec \
		-o "$build/rpmalloc.so" "$sources"/rpmalloc/rpmalloc/rpmalloc.c
}

# libstdc++ is linked in: a shared one calls malloc before it is made ready.
# All sources of the library but its tests, benchmarks, variants and what needs
# protobuf; percpu_rseq_asm.S includes the processor's own.
tcmalloc_sources() {
	find "$sources/tcmalloc/tcmalloc" -maxdepth 2 \
		\( -path '*/tcmalloc/*.cc' -o -path '*/internal/*.cc' -o \
		-path '*/internal/*.S' \) |
		grep -vE '/(testing|selsan|mock|docs)/' |
		grep -vE 'test|benchmark|fuzz|mock|_main\.|want_|small_but_slow' |
		grep -vE 'numa_aware|experiment_fetcher|/variants' |
		grep -vE 'profile_(marshaler|builder)|percpu_rseq_(x86|aarch)'
}

build_tcmalloc() {
	cmake_build abseil "$sources/abseil-cpp" all -DCMAKE_CXX_STANDARD=17 \
		-DCMAKE_POSITION_INDEPENDENT_CODE=ON -DABSL_BUILD_TESTING=OFF ||
		return
	mkdir -p "$build/tcmalloc"
	export sources build
	tcmalloc_sources | tr '\n' '\0' |
		xargs -0 -P "$jobs" -n 1 "$0" --compile || return
	mapfile -t archives < <(find "$build/abseil" -name '*.a')
	g++ -shared -pthread -static-libstdc++ -static-libgcc \
		-o "$build/tcmalloc.so" "$build"/tcmalloc/*.o -Wl,--start-group \
		"${archives[@]}" -Wl,--end-group -Wl,--exclude-libs,ALL
}

# The commit where the sources are a checkout, else the day of the newest file.
version() {
	git -C "$sources/$1" log -1 --format='%h of %cs' -- . 2>/dev/null | grep . ||
		find "$sources/$1" -type f -printf '%TY-%Tm-%Td\n' | sort | tail -n 1
}

for name in mimalloc snmalloc jemalloc rpmalloc gperftools tcmalloc; do
	[ -d "$sources/$name" ] || continue
	if ! [ -e "$build/$name.so" ]; then
		echo "builds $name" >&2
		if ! "build_$name" >"$build/$name.log" 2>&1; then
			echo "$name cannot be built, see $build/$name.log" >&2
			continue
		fi
	fi
	[ -e "$build/$name.version" ] || version "$name" >"$build/$name.version"
	echo "$name=$build/$name.so"
done
