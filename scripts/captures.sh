#!/bin/sh
# `make captures MUSIC=DIR`: the README's pictures, of the real program with the shipped model over the music in DIR. Only
# music that anybody may have belongs there (theirs is that of Debian's games); nothing of the user's own library is touched.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
music=${1:?captures: say where music is: make captures MUSIC=DIR}
deepcuts=${DEEPCUTS:-$root/target/release/deepcuts}
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export HOME="$home" XDG_CONFIG_HOME="$home/.config" XDG_DATA_HOME="$home/.local/share" XDG_CACHE_HOME="$home/.cache"
export XDG_STATE_HOME="$home/.local/state"
"$deepcuts" scan "$music"

# shot NAME KEYS
shot() {
    "$root/scripts/capture.py" "$root/docs/captures/$1.svg" --wait 4 --keys "$2" -- "$deepcuts"
    echo "docs/captures/$1.svg"
}
# The question whether genres are to be written as they are heard comes once.
shot library "n sleep:1 $(printf 'j %.0s' $(seq 22)) sleep:2"
shot track "/ text:brainsukker Enter sleep:2 Enter sleep:1 m sleep:2"
shot search "/ C-u text:'mostly classical with some country' Enter sleep:3 j sleep:2"
shot review "4 sleep:3 j j sleep:1"
shot map "7 sleep:4 n n n sleep:1"
