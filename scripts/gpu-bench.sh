#!/bin/sh
# How fast the ears are on a GPU, and whether they say the same as on the CPU.
#   scripts/gpu-bench.sh MUSIC_DIR [MODEL.safetensors] [TRACKS]
# For 1 to as many decode workers as there are cores: tracks a second, occupancy of the GPU, and how long the network's
# thread waits for decoded audio; then the share of chunks with the same winner on both devices.
# Such a machine may be offline and without Rust: carry target/release/deepcuts-ears, models/ and scripts/ there, and
# give the folder of a CUDA build of the same libtorch (`make gpu`, or that of an installed torch of that version):
#   LIBTORCH_CUDA=/path/to/torch/lib scripts/gpu-bench.sh MUSIC_DIR
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
lib=${LIBTORCH_CUDA:-$root/vendor/libtorch-cuda/torch/lib}
if [ -e "$lib/libtorch_cuda.so" ]; then
    LD_LIBRARY_PATH="$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    export LD_LIBRARY_PATH
else
    echo "gpu-bench: no libtorch_cuda.so in $lib (\`make gpu\`, or LIBTORCH_CUDA): the CPU alone is measured" >&2
fi
exec python3 "$root/scripts/gpu-bench.py" "$@"
