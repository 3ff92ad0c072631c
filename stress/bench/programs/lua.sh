#!/bin/bash
# about: lua5.4: tables, strings, closures and a garbage collector
# packages: lua5.4
# limit: 120
# quick
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

rounds=$(scaled 12)
measured "$rounds" lua5.4 "$here/lua_load.lua" "$rounds"
