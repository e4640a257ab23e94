#!/bin/sh
# `make accept MUSIC=DIR DATA=DIR`: the whole program on real music, as a listener would use it. Nothing in MUSIC is
# touched: all of it happens on a copy.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
exec "$root/vendor/python/bin/python3" "$root/scripts/accept.py" "$@"
