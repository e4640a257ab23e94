#!/bin/sh
# `make models DATA=DIR`: trains the shipped networks on DIR/gtzan-mel.safetensors and writes their reports.
# Seeds are fixed and every run is resumable: stop it when you like, run it again, and it goes on.
# As shipped: deep and cuts over 5 artist folds and 3 seeds, and over Sturm's filtered split; the paper's three on fold 0
# and again under the paper's own protocol, for the leaky columns of their reports alone (an hour and a half of a core
# each time).
# ONLY="cuts cnn" trains those alone; SEEDS="0,1,2", FOLDS="0 1" and OUT=DIR change the rest; THREADS=1 for nice neighbours.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
data=${1:-${DATA:-}}
if [ ! -f "$data/gtzan-mel.safetensors" ]; then
    echo "models: say where gtzan-mel.safetensors is: make models DATA=DIR" >&2
    exit 2
fi
deepcuts=${DEEPCUTS:-$root/target/release/deepcuts}
out=${OUT:-$root/models}
about='GTZAN: 30 s clips of ten genres as mel features (791 clips; duplicates and mislabelled pairs removed). Research data, never cleared for redistribution: no audio and no features are shipped, only weights and embeddings.'
trunk='Its frozen trunk is musicnn (ISC), which others trained on the Million Song Dataset. That may hold artists, and recordings, of GTZAN: held out here means held out of what was trained here.'
teacher='Its teacher, deep, listens through musicnn (ISC), which others trained on the Million Song Dataset. That may hold artists, and recordings, of GTZAN: held out here means held out of what was trained here.'
licence='MIT OR Apache-2.0; what it was trained on is research data'
tracks=
[ -f "$data/gtzan-tracks.csv" ] && tracks="--tracks $data/gtzan-tracks.csv"
export OMP_WAIT_POLICY=passive
[ -n "${THREADS:-}" ] && export OMP_NUM_THREADS="$THREADS"

# train ARCH FOLDER OPTION...
train() {
    data_said=$about
    case $1 in
        deep) data_said="$about $trunk" ;;
        cuts) data_said="$about $teacher" ;;
    esac
    arch=$1 to=$2
    shift 2
    # shellcheck disable=SC2086 -- tracks is a list of words
    "$deepcuts" train "$data/gtzan-mel.safetensors" --arch "$arch" --resume --out "$to" \
        --data "$data_said" --licence "$licence" $tracks "$@"
}

# The embeddings of what a network learned from are kept for those that listeners retrain: `replay.safetensors` is the
# default network's, deep's, and `replay.features.safetensors` what its trunk made of the same, for `retrain --full`.
for arch in ${ONLY:-deep cuts cnn crnn crnn-long}; do
    seeds=${SEEDS:-0}
    chosen=${FOLDS:-}
    case $arch in
        deep | cuts)
            seeds=${SEEDS:-0,1,2}
            # For its column of their reports: what ships is of the artist folds.
            if [ -n "$tracks" ]; then
                train "$arch" "$out/sturm" --protocol sturm --seeds "$seeds"
                mkdir -p "$out/$arch.runs"
                cp "$out/sturm/$arch.runs/"sturm-*.json "$out/$arch.runs/"
            fi
            ;;
        *)
            chosen=${FOLDS:-0}
            # Weights that learned from both sides of a split are never shipped: only what their run says is taken over.
            train "$arch" "$out/leaky" --protocol paper --seeds 0
            mkdir -p "$out/$arch.runs"
            cp "$out/leaky/$arch.runs/"paper-*.json "$out/$arch.runs/"
            ;;
    esac
    folds=
    for fold in $chosen; do folds="$folds --fold $fold"; done
    # shellcheck disable=SC2086 -- folds are a list of words
    train "$arch" "$out" --seeds "$seeds" $folds
    case $arch in
        deep)
            mv -f "$out/deep.replay.safetensors" "$out/replay.safetensors"
            mv -f "$out/deep.features.safetensors" "$out/replay.features.safetensors"
            ;;
        cuts) ;;
        *) rm -f "$out/$arch.replay.safetensors" ;;
    esac
    "$deepcuts" eval "$out/$arch.safetensors" "$data/gtzan-mel.safetensors" --out "$out/reports/$arch" \
        ${PAPER_LOGS:+--paper-logs "$PAPER_LOGS"}
done
