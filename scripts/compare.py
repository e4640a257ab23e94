"""CPU seconds for one track: the paper's way in Python (librosa, torch) beside our ears on the same network.

    python3 scripts/compare.py TRACK MODEL.safetensors [RUNS]

MODEL is a `cnn` with front end paper-128 (its accuracy does not matter here; `deepcuts train ... --arch cnn
--front-end paper-128 --set fit.steps=1` makes one). Needs a Python with librosa and torch; one thread each. The script
follows the paper's description, written for this comparison: load at 16 kHz, log-mel, chunks of 128 frames, the CNN
as a plain module in batches of 20, the winner a chunk.
"""

import base64
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

ROOT = pathlib.Path(__file__).resolve().parent.parent
EARS = os.environ.get("DEEPCUTS_EARS", str(ROOT / "target/release/deepcuts-ears"))
TRIM_S, RATE_HZ, FRAMES, BATCH = 20, 16_000, 128, 20


def ours(track, model, runs):
    """CPU seconds a track in the ears, without their start; winners of the chunks."""
    # The network has as many threads as there are cores: on one core all of it is one thread's work.
    command = [EARS, "serve", "--model", model, "--device", "cpu", "--workers", "1"]
    core = min(os.sched_getaffinity(0))
    ears = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    assert json.loads(ears.stdout.readline())["say"] == "ready"

    def cpu():
        fields = pathlib.Path(f"/proc/{ears.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def once():
        before = cpu()
        path = base64.b64encode(os.fsencode(os.path.abspath(track))).decode()
        ears.stdin.write(json.dumps({"ask": "listen", "id": 1, "path": path}) + "\n")
        ears.stdin.flush()
        while True:
            answer = json.loads(ears.stdout.readline())
            if answer["say"] == "failed":
                sys.exit(f"compare: {answer['reason']}")
            if answer["say"] == "heard":
                return cpu() - before, list(base64.b64decode(answer["hearing"]["timeline"]["winners"]))

    once()
    best, winners = min((once() for _ in range(runs)), key=lambda r: r[0])
    ears.stdin.close()
    ears.wait()
    return best, winners


def tensors(model, np):
    """The tensors of a safetensors file that are floats."""
    data = pathlib.Path(model).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:start])
    found = {}
    for name, entry in entries.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = (start + at for at in entry["data_offsets"])
            found[name] = np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"]).copy()
    return found


def theirs(track, model, runs):
    """The same by librosa and torch: CPU seconds of loading, mel and network; winners."""
    import librosa
    import numpy as np
    import torch

    torch.set_num_threads(1)
    nn = torch.nn
    weights = {name: torch.from_numpy(value) for name, value in tensors(model, np).items()}

    def conv(name, pool):
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
        norm = nn.BatchNorm2d(weight.shape[0])
        layer.weight.data, layer.bias.data = weight, bias
        for part in ("weight", "bias"):
            getattr(norm, part).data = weights[f"{name}.norm.{part}"]
        for part in ("running_mean", "running_var"):
            getattr(norm, part).copy_(weights[f"{name}.norm.{part}"])
        return [layer, norm, nn.ReLU(), nn.MaxPool2d(pool)]

    def dense(name):
        layer = nn.Linear(*reversed(weights[f"{name}.weight"].shape))
        layer.weight.data, layer.bias.data = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return layer

    network = nn.Sequential(
        *conv("conv1", 2), *conv("conv2", 2), *conv("conv3", 4), *conv("conv4", 4), nn.Flatten(),
        dense("dense1"), nn.ReLU(), nn.Dropout(0.5), dense("dense2"), nn.ReLU(), nn.Dropout(0.5), dense("head"),
        nn.Softmax(1),
    ).eval()

    def once():
        steps = [time.process_time()]
        samples, _ = librosa.load(track, sr=RATE_HZ, mono=True)
        trim = int(min(TRIM_S, max(0, (len(samples) / RATE_HZ - 60) / 2)) * RATE_HZ)
        samples = samples[trim : len(samples) - trim]
        steps.append(time.process_time())
        power = librosa.feature.melspectrogram(y=samples, sr=RATE_HZ, n_fft=2048, hop_length=512, n_mels=128)
        mel = librosa.power_to_db(power).T
        chunks = [mel[i : i + FRAMES] for i in range(0, len(mel) - FRAMES + 1, FRAMES)]
        steps.append(time.process_time())
        winners = []
        with torch.no_grad():
            for i in range(0, len(chunks), BATCH):
                batch = torch.from_numpy(np.stack(chunks[i : i + BATCH])).unsqueeze(1)
                winners += network(batch).argmax(1).tolist()
        steps.append(time.process_time())
        return steps[-1] - steps[0], [b - a for a, b in zip(steps, steps[1:])], winners

    once()
    return min((once() for _ in range(runs)), key=lambda r: r[0])


def main():
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    track, model = sys.argv[1:3]
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    mine, winners = ours(track, model, runs)
    print(f"ears       {mine:.2f} s of CPU, {len(winners)} chunks")
    total, (load, mel, network), named = theirs(track, model, runs)
    print(f"python     {total:.2f} s of CPU: load {load:.2f}, mel {mel:.2f}, network {network:.2f}")
    print(f"ratio      {total / mine:.2f}")
    # Ours may call a chunk unsure (255); theirs never does.
    pairs = [(a, b) for a, b in zip(winners, named) if a != 255]
    print(f"winners    {sum(a == b for a, b in pairs)} of {len(pairs)} chunks that are not unsure are the same")
    print(f"children   {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024} MB at most")


if __name__ == "__main__":
    main()
