#!/bin/bash
# about: python3, each object a malloc: dicts, strings, JSON, trees, sorting
# packages: python3
# limit: 120
# quick
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

rounds=$(scaled 12)
measured "$rounds" env PYTHONMALLOC=malloc PYTHONHASHSEED=0 python3 -S \
	-B "$here/python_load.py" "$rounds"
