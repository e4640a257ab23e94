#!/bin/sh
# `make soak`: 100,000 mixed events in a watched folder, with the system's queue of events made small where that is
# allowed (root), so that it overflows. The queue's size is put back at the end.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
queue=/proc/sys/fs/inotify/max_queued_events
before=$(cat "$queue")
if [ -w "$queue" ]; then
    trap 'echo "$before" >"$queue"' EXIT INT TERM
    echo 64 >"$queue"
    echo "a queue of 64 events"
else
    echo "a queue of $before events: making it small needs root"
fi
DEEPCUTS_EVENTS=${DEEPCUTS_EVENTS:-100000} cargo test --release --locked --test watch_stress -- --nocapture
