#!/bin/sh
# Kill and fail a tag write at every system call it makes; see faults.py. `scripts/faults.sh --short` takes a few
# seconds, the whole of it half an hour on two cores.
set -eu
cd "$(dirname "$0")/.."
cargo build --quiet --release --workspace --locked
built="${CARGO_TARGET_DIR:-target}/release"
exec python3 scripts/faults.py "$built/deepcuts" "$built/scripted-ears" "$@"
