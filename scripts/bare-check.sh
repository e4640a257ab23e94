#!/bin/sh
# Does setup work on a machine that has nothing but the system's Python and its pip? Runs it on a copy of the scripts with
# an empty environment and an empty home, then checks that a second run is quick, that nothing was written outside the
# vendor folder, and that what was fetched works. Downloads everything (about 700 MB); PYTHON picks another Python.
set -eu
unset CDPATH
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-/usr/bin/python3}
work=$(mktemp -d "${TMPDIR:-/tmp}/deepcuts bare check.XXXXXX") # with spaces, for good measure
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

mkdir "$work/home" "$work/checkout"
cp -R "$root/scripts" "$work/checkout/scripts"
bare() { env -i PATH=/usr/bin:/bin HOME="$work/home" PYTHON="$python" "$@"; }
fail() {
    echo "bare-check: $1" >&2
    exit 1
}

echo "bare-check: $python, $("$python" --version 2>&1), $("$python" -m pip --version 2>&1 | cut -d' ' -f1-2)"
bare "$work/checkout/scripts/setup"

start=$(date +%s%N)
bare "$work/checkout/scripts/setup"
took_ms=$((($(date +%s%N) - start) / 1000000))
[ "$took_ms" -lt 200 ] || fail "setup with nothing to do took $took_ms ms"

left=$(cd "$work" && find . -mindepth 1 -type f ! -path './checkout/vendor/*' ! -path './checkout/scripts/*')
[ -z "$left" ] || fail "written outside vendor: $left"
left=$(find "$work/checkout/vendor" -mindepth 1 -maxdepth 1 ! -name libtorch ! -name musicnn ! -name python ! -name .lock)
[ -z "$left" ] || fail "left behind: $left"

vendor=$work/checkout/vendor
bare "$vendor/python/bin/cmake" --version >/dev/null
bare "$vendor/python/bin/ffmpeg" -loglevel error -f lavfi -i sine=d=1 -c:a libmp3lame "$work/sine.mp3"
bare "$vendor/python/bin/python3" -c 'import mutagen, numpy, sys; assert 0.9 < mutagen.File(sys.argv[1]).info.length < 1.2' \
    "$work/sine.mp3"
[ -s "$vendor/musicnn/musicnn.safetensors" ] || fail "there is no musicnn"
[ "$(cat "$vendor/libtorch/build-version")" = 2.11.0 ] || fail "build-version is wrong"
echo "bare-check: good; nothing to do takes $took_ms ms"
