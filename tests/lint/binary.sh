#!/usr/bin/env bash
# What the built library shows to the outside: names, needs, hardening.
#
# Usage: binary.sh BUILD
set -u -o pipefail
export LC_ALL=C

so=$1/liblanemalloc.so
archive=$1/liblanemalloc.a
status=0

fail() {
	printf '%s\n' "$*" | tr '\n' ' '
	echo
	status=1
}

dynamic=$(readelf -dW "$so") || exit 1
exports=$(nm -D --defined-only "$so" | awk '$2 != "A" { print $3 }') || exit 1

# grep reads all of its input, or the writer would die of a closed pipe.
has() {
	printf '%s\n' "$2" | grep -E "$1" >/dev/null
}

exported() {
	has "^$1(@|$)" "$exports"
}

needed=$(printf '%s\n' "$dynamic" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
[ "$needed" = libc.so.6 ] || fail "needs more than libc.so.6:" "$needed"
has 'SONAME.*\[liblanemalloc\.so\.1\]' "$dynamic" || fail "no SONAME"
has 'NODELETE' "$dynamic" || fail "can be unloaded (no NODELETE)"
has 'BIND_NOW|FLAGS_1.*NOW' "$dynamic" || fail "binds lazily (no -z now)"
! has 'TEXTREL' "$dynamic" || fail "has text relocations"
segments=$(readelf -lW "$so")
has 'GNU_RELRO' "$segments" || fail "no RELRO"
! has 'GNU_STACK.* RWE ' "$segments" || fail "has an executable stack"
tls=$(printf '%s\n' "$segments" | awk '$1 == "TLS" { print $6 }')
[ $((${tls:-0})) -le 256 ] || fail "$((tls)) bytes of TLS, 256 are allowed"
! has '__tls_get_addr' "$(nm -D --undefined-only "$so")" ||
	fail "a general-dynamic TLS access"

for name in malloc free calloc realloc aligned_alloc free_sized \
	free_aligned_sized malloc_usable_size memalign posix_memalign valloc \
	pvalloc cfree mallopt mallinfo mallinfo2 malloc_stats malloc_info \
	malloc_trim _Znwm _Znam _ZnwmRKSt9nothrow_t _ZnamRKSt9nothrow_t \
	_ZnwmSt11align_val_t _ZnamSt11align_val_t \
	_ZnwmSt11align_val_tRKSt9nothrow_t _ZnamSt11align_val_tRKSt9nothrow_t \
	_ZdlPv _ZdaPv _ZdlPvm _ZdaPvm _ZdlPvRKSt9nothrow_t \
	_ZdaPvRKSt9nothrow_t _ZdlPvSt11align_val_t _ZdaPvSt11align_val_t \
	_ZdlPvmSt11align_val_t _ZdaPvmSt11align_val_t \
	_ZdlPvSt11align_val_tRKSt9nothrow_t \
	_ZdaPvSt11align_val_tRKSt9nothrow_t lanemalloc_version \
	lanemalloc_mode lanemalloc_stats lanemalloc_stats_json \
	lanemalloc_stats_classes lanemalloc_stats_cpus \
	lanemalloc_stats_detail_json lanemalloc_stats_prometheus \
	lanemalloc_purge lanemalloc_check lanemalloc_reclaimer_start \
	lanemalloc_profile_start lanemalloc_profile_stop \
	lanemalloc_profile_dump lanemalloc_view lanemalloc_limit mallctl \
	malloc_stats_print \
	MallocExtension_GetStats MallocExtension_GetNumericProperty \
	MallocExtension_ReleaseFreeMemory \
	MallocExtension_ReleaseToSystem; do
	exported "$name" || fail "does not export $name"
done
has '^malloc$' "$exports" || fail "malloc has a version node"
has '^lanemalloc_stats@@' "$exports" || fail "lanemalloc_* has no version node"

# Nothing else: what a program may define itself must not meet ours.
unknown=$(printf '%s\n' "$exports" | sed 's/@.*//' | grep -v -x -E \
	-e '_Zn[wa]m.*|_Zd[la]Pv.*|lanemalloc_.*' -e '(__libc_|__)?[a-z]*alloc' \
	-e '(__libc_|__)?(memalign|(__)?posix_memalign|aligned_alloc|c?free)' \
	-e '(__libc_)?(mall(opt|info2?)|malloc_(stats(_print)?|info|trim))' \
	-e 'free_(aligned_)?sized|malloc_usable_size' \
	-e 'pthread_create|thrd_create|dlm?open|(__)?v?fork|_Fork|clone' \
	-e 'set(res?|e)?[ug]id|(set|init)groups|capset|prctl|unshare|setns' \
	-e 'chroot|syscall|close_range|sigaction|signal|mallctl' \
	-e 'MallocExtension_(Get(Stats|NumericProperty)|Release.*)')
[ -z "$unknown" ] || fail "exports" "$unknown"

globals=$(nm -g --defined-only "$archive" | awk 'NF == 3 { print $3 }')
unknown=$(printf '%s\n' "$globals" | grep -v -x -E \
	-e '_Zn[wa]m.*|_Zd[la]Pv.*|lane_.*|lanemalloc_.*|__.*' \
	-e '[a-z]*alloc|(posix_)?memalign|aligned_alloc|c?free|v?fork|clone' \
	-e 'mall(opt|info2?)|malloc_(stats|info|trim|usable_size)' \
	-e 'free_(aligned_)?sized')
[ -z "$unknown" ] || fail "the archive shows" "$unknown"
exit $status
