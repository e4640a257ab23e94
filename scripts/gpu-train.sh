#!/bin/sh
# Trains on a machine with an NVIDIA GPU: the same commands, the same recipes, CUDA by itself.
#   scripts/gpu-train.sh DATA_DIR [OUT_DIR]
# Such a machine may be offline and without Rust: carry target/release/deepcuts and deepcuts-ears there, and give
# the folder of a CUDA build of the same libtorch (`make gpu`, or that of an installed torch of that version):
#   LIBTORCH_CUDA=/path/to/torch/lib scripts/gpu-train.sh DATA_DIR OUT_DIR
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
data=${1:?usage: gpu-train.sh DATA_DIR [OUT_DIR]}
out=${2:-$root/models}
lib=${LIBTORCH_CUDA:-$root/vendor/libtorch-cuda/torch/lib}
if [ ! -e "$lib/libtorch_cuda.so" ]; then
    echo "gpu-train: no libtorch_cuda.so in $lib: run \`make gpu\`, or set LIBTORCH_CUDA" >&2
    exit 2
fi
LD_LIBRARY_PATH="$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export LD_LIBRARY_PATH
OUT=$out SEEDS=${SEEDS:-0,1,2} FOLDS=${FOLDS:-0 1 2 3 4} "$root/scripts/models.sh" "$data"
# The authors' own front ends and recipes, from the audio there is (four genres are well covered): a fold by artist, and
# their own protocol.
[ -d "$data/gtzan-audio" ] || exit 0
deepcuts=${DEEPCUTS:-$root/target/release/deepcuts}
for arch in cnn crnn crnn-long; do
    for protocol in artist paper; do
        "$deepcuts" train "$data/gtzan-audio" --arch "$arch" --recipe "$arch-paper" --protocol "$protocol" --fold 0 \
            --tracks "$data/gtzan-tracks.csv" --resume --out "$out/authors-$protocol"
    done
done
