#!/bin/bash
# about: sqlite3 in memory: inserts, indices, joins, JSON, a vacuum
# packages: sqlite3
# limit: 120
# quick
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

rows=$(scaled 120000)
sed "s/@ROWS@/$rows/" "$here/load.sql" >load.sql
measured "$rows" sqlite3 -batch :memory: '.bail on' '.read load.sql'
[ "$(sed -n 1p log/measured)" = "$rows" ] || fail "wrong answers"
