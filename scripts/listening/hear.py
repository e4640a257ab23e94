"""What the real ears hear in files, chunk by chunk, and what stands behind it.

`deepcuts-ears serve` says a winner and its score for every chunk, and its embedding. The scores of all genres follow from
the embedding by the network's last layer, so that a chunk that was called unsure can be asked what it would have been.
"""

import base64
import json
import os
import subprocess
import threading
from pathlib import Path

import numpy as np

from .tensors import load, softmax

ROOT = Path(__file__).resolve().parent.parent.parent
EARS = os.environ.get("DEEPCUTS_EARS", str(ROOT / "target/release/deepcuts-ears"))
UNSURE = 255


class Model:
    """A network's last layer and card, and what its replay set keeps of the features that it was trained and judged on."""

    def __init__(self, path):
        self.path = Path(path)
        self.card = json.loads(self.path.with_suffix(".json").read_text())
        self.name, self.genres = self.card["name"], self.card["genres"]
        tensors, _ = load(self.path)
        self.weight, self.bias = tensors["head.weight"], tensors["head.bias"]

    def scores(self, embeddings):
        """Scores of every genre, a row an embedding."""
        return softmax((embeddings @ self.weight.T + self.bias) / self.card["temperature"])

    def replay(self, path=None):
        """(scores, clip) of every chunk, and (label, artist's number, learned from) of every clip of the features file."""
        kept, metadata = load(path or self.path.with_suffix(".replay.safetensors"))
        if metadata["model"] != self.card["weights_blake3"]:
            raise SystemExit(f"{path}: it is of another network than {self.path}")
        rows = kept["embedding"].astype(np.float32) * kept["scale"][:, None]
        return self.scores(rows), kept["clip"], kept["label"], kept["group"], kept["learned"].astype(bool)


class Heard:
    """One file: winner and best score of every chunk as the ears said them, and the scores of all genres. These are None
    where the track is so long that chunks share embeddings."""

    def __init__(self, hearing, model):
        self.winners = np.frombuffer(base64.b64decode(hearing["timeline"]["winners"]), np.uint8)
        self.best = np.frombuffer(base64.b64decode(hearing["timeline"]["scores"]), np.uint8)
        self.start_ms = hearing["start_ms"]
        kept = hearing["embeddings"]
        self.scores = None
        if kept["stride"] == 1:
            rows = np.frombuffer(base64.b64decode(kept["values"]), np.int8).reshape(-1, kept["dim"])
            self.scores = model.scores(rows.astype(np.float32) * np.array(kept["scales"], np.float32)[:, None])


def hear(model, paths):
    """(path -> Heard, path -> why not) for all of `paths`, by one `serve`."""
    command = [EARS, "serve", "--model", str(model.path), "--device", "cpu"]
    env = {**os.environ, "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "passive")}
    serve = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask():
        try:
            for n, path in enumerate(paths):
                wire = base64.b64encode(os.fsencode(os.path.abspath(path))).decode()
                serve.stdin.write(json.dumps({"ask": "listen", "id": n, "path": wire}) + "\n")
            serve.stdin.close()
        except BrokenPipeError:
            pass  # They ended; what they said is read below.

    threading.Thread(target=ask, daemon=True).start()
    heard, failed = {}, {}
    for line in serve.stdout:
        answer = json.loads(line)
        if answer["say"] == "fatal":
            raise SystemExit(f"the ears cannot listen: {answer['reason']}")
        if answer["say"] == "heard":
            heard[paths[answer["id"]]] = Heard(answer["hearing"], model)
        elif answer["say"] == "failed":
            failed[paths[answer["id"]]] = answer["reason"]
    if serve.wait() != 0 or len(heard) + len(failed) != len(paths):
        raise SystemExit(f"the ears ended with {serve.returncode} after {len(heard) + len(failed)} of {len(paths)} files")
    return heard, failed


def wilson(right, n):
    """Wilson's 95 % interval of a share."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.959964, right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return middle - half, middle + half


def paired(differences, groups, draws=10_000, seed=0):
    """Mean of `differences` and its 95 % interval, by drawing whole groups (artists) anew."""
    differences, groups = np.asarray(differences, float), np.unique(groups, return_inverse=True)[1]
    sums, counts = np.bincount(groups, differences), np.bincount(groups)
    drawn = np.random.default_rng(seed).integers(0, len(sums), (draws, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    return differences.mean(), *np.quantile(means, [0.025, 0.975])
