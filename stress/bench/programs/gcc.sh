#!/bin/bash
# about: cc1 -O1 on one large generated C file
# packages: gcc python3
# limit: 180
# quick
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

functions=$(scaled 130)
compiler=$(gcc -print-prog-name=cc1)
must source.c python3 -B "$here/c_source.py" "$functions"
mv log/source.c source.c
measured "$functions" "$compiler" -quiet -O1 source.c -o source.s
