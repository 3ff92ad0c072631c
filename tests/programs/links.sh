#!/bin/bash
# packages: gcc libc6-dev
# limit: 90
# quick
#
# However the program is linked: position-independent or not, bound at start or
# call by call, not to be opened by dlopen (-z nodlopen), with the archive as
# static-pie; and with an auditor (LD_AUDIT), which has a libc and a malloc of
# its own in another namespace, in the same process.
. "$(dirname "$0")/../lib.sh"
begin

cat >audit.c <<'C'
#define _GNU_SOURCE
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned nr_bound;

unsigned la_version(unsigned version)
{
	return version;
}

unsigned la_objopen(struct link_map *map, Lmid_t lmid, uintptr_t *cookie)
{
	free(strdup(map->l_name));
	return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

uintptr_t la_symbind64(Elf64_Sym *sym, unsigned ndx, uintptr_t *from,
		       uintptr_t *to, unsigned *flags, const char *name)
{
	free(strdup(name));
	nr_bound++;
	return sym->st_value;
}

void la_preinit(uintptr_t *cookie)
{
	fprintf(stderr, "audited %s\n", nr_bound ? "calls" : "nothing");
}
C
must audit gcc -shared -fPIC -O1 audit.c -o audit.so
seen=()

# linked NAME FLAG...: the program is right when it is linked so.
linked() {
	local how=$1

	shift
	must "compile" gcc -O1 -g -fno-builtin -pthread \
		"$tests/programs/work.c" "$@" -o "work.$how"
	must_under "$how" "./work.$how"
	grep -q '^right ' "log/$how" || fail "$how: $(tail -n 1 "log/$how")"
	seen+=("$how")
}

linked pie -fPIE -pie
linked no-pie -fno-pie -no-pie
linked lazy -Wl,-z,lazy
linked now -Wl,-z,now
linked nodlopen -Wl,-z,nodlopen
if [ -n "$preload" ]; then
	archive=${LANEMALLOC%.so*}.a
	for form in static static-pie; do
		must "compile" gcc -O1 -g -fno-builtin -pthread -w "-$form" \
			"$tests/programs/work.c" "$archive" -o "work.$form"
		must "$form" "./work.$form"
		grep -q '^right ' "log/$form" || fail "$form"
		seen+=("$form")
	done
fi
LD_AUDIT=$work/audit.so must_under audited ./work.lazy
grep -q '^right ' log/audited || fail "audited: $(tail -n 1 log/audited)"
grep -q '^audited calls' log/audited || fail "the auditor saw no call bound"
seen+=(LD_AUDIT)
printf -v ways '%s, ' "${seen[@]}"
ok "${ways%, }"
