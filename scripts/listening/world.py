"""The clips that everything is made of, and the networks that know a part of them.

A base is trained by the ears without a part of the clips; the listener owns that part. What it hears of a clip is
computed here from the trunk's features, and held against what the ears themselves kept of the same clips.
"""

import base64
import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

from .tensors import load, quantise, save, softmax

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(os.environ.get("DEEPCUTS_BIN", ROOT / "target/release"))
EARS = BIN / "deepcuts-ears"
UNSURE = 255
TOO_FEW = 3  # corrected tracks below which a new genre is none yet, as in the settings


def wire(path):
    """A path as it travels in a job."""
    return base64.b64encode(os.fsencode(Path(path).absolute())).decode()


def ears(*arguments):
    """What the ears say to a job."""
    done = subprocess.run([EARS, *arguments], stdout=subprocess.PIPE, text=True)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode:
        sys.exit(f"listener: the ears could not: {said[-1] if said else done.returncode}")
    return said


class Clips:
    """The labelled clips, as mel and as what the frozen trunk makes of them. With `full` all above the trunk is retrained,
    not the last layer alone."""

    def __init__(self, data, out, mark, full=False):
        self.full, self.heard = full, Path(out) / "heard"
        self.path = Path(data) / "gtzan-mel.safetensors"
        self.frozen_path = Path(out) / f"frozen-{mark([self.path])}.safetensors"
        if not self.frozen_path.exists():
            print("listening to every clip through the trunk, once", file=sys.stderr, flush=True)
            part = self.frozen_path.with_suffix(".part")
            subprocess.run([BIN / "examples/trunk", self.path, part], check=True)
            part.rename(self.frozen_path)
        tensors, metadata = load(self.path)
        frozen, self.metadata = load(self.frozen_path)
        self.frozen, self.label = frozen["frozen"], frozen["label"]
        self.genres = json.loads(metadata["genres"])
        self.tracks, artists = json.loads(metadata["tracks"]), json.loads(metadata["artists"])
        self.artists = artists
        self.by = [a.strip().lower() or t for a, t in zip(artists, self.tracks)]
        numbers = {n: i for i, n in enumerate(sorted(set(self.by)))}
        self.group = np.array([numbers[by] for by in self.by])
        self.names = np.array([self.genres[g] for g in self.label], object)
        # How a clip sounds, measured in the mel itself: what a listener may split a genre by.
        mel = tensors["mel"]
        self.sound = {
            "bass": mel[:, :16].mean((1, 2)),
            "air": mel[:, 80:].mean((1, 2)),
            "motion": np.array([np.abs(np.diff(m.astype(np.int16), axis=1)).mean() for m in mel]),
            "level": mel.mean((1, 2)),
        }

    def some_artists(self, share, seed):
        """Artists with about this share of every genre's clips."""
        rng, out = random.Random(seed), set()
        for genre in range(len(self.genres)):
            mine = [by for by, label in zip(self.by, self.label) if label == genre]
            names = sorted(set(mine))
            rng.shuffle(names)
            have = sum(by in out for by in mine)
            for name in names:
                count = mine.count(name)
                if name not in out and have + count <= share * len(mine) + 1:
                    out.add(name)
                    have += count
        return out

    def sounded(self):
        """What the trunk makes of every clip, chunks side by side: clip x chunk x value."""
        return self.frozen[:, :: int(self.metadata["beginnings"])]

    def files(self, corrected, trunk):
        """The clips as files of a job: nobody has them, but the ears' cache knows what they sound like."""
        folder = self.heard / f"heard-cuts-v1-{trunk}"
        folder.mkdir(parents=True, exist_ok=True)
        for clip in corrected:
            path = folder / f"clip{clip}.safetensors"
            if not path.exists():
                part = path.with_suffix(f".{threading.get_ident()}")
                save(part, {"mel": self.sounded()[clip]})
                part.rename(path)
        return [{"path": wire(f"clip{clip}"), "identity": f"clip{clip}"} for clip in corrected]

    def write(self, path, keep, genres):
        """A features file of some clips."""
        label = np.array([genres.index(self.genres[self.label[i]]) for i in keep], np.uint8)
        metadata = {
            **self.metadata,
            "genres": json.dumps(genres),
            "tracks": json.dumps([self.tracks[i] for i in keep]),
            "artists": json.dumps([self.artists[i] for i in keep]),
        }
        save(path, {"frozen": self.frozen[keep], "label": label}, metadata)


class Head:
    """A last layer, and what its card says of it; with what is below it where that is its own."""

    def __init__(self, path):
        tensors, _ = load(path)
        card = json.loads(Path(path).with_suffix(".json").read_text())
        self.layer = np.hstack([tensors["head.weight"], tensors["head.bias"][:, None]])
        self.mean, self.whiten = tensors["familiar.mean"], tensors["familiar.whiten"]
        self.temperature, self.genres = card["temperature"], card["genres"]
        self.below, self.beyond = card["unsure_below"], card["unfamiliar_beyond"]
        self.body = None if card.get("trunk") else tensors


class Base:
    """A network that was trained without a part of the clips, and what it hears in all of them."""

    def __init__(self, clips, out, name, keep, genres, fold=0):
        self.clips, self.folder, self.keep, self.fold = clips, Path(out) / name, np.array(keep), fold
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model = self.folder / "base.safetensors"
        if not self.model.with_suffix(".json").exists():
            self.train(genres)
        self.head, self.genres = Head(self.model), genres
        self.chunks = clips.sounded().shape[1]
        self.raw, self.scale = self.listen(self.head.body)
        self.values = self.raw.astype(np.float32) * self.scale[:, None]
        replay, _ = load(self.folder / "base.replay.safetensors")
        self.check(replay)
        self.unseen = self.keep[replay["learned"] == 0]
        used = set(clips.group[self.keep])
        kept = set(keep)
        self.library = [i for i in range(len(clips.label)) if i not in kept and clips.group[i] not in used]

    def train(self, genres):
        features = self.folder / "features.safetensors"
        self.clips.write(features, list(self.keep), genres)
        job = {
            "source": {"kind": "features", "path": wire(features)},
            "arch": "deep",
            "name": "base",
            "out": wire(self.folder),
            "only_folds": [self.fold],
            "threads": 1,
            "device": "cpu",
        }
        (self.folder / "job.json").write_text(json.dumps(job))
        ears("train", "--job", self.folder / "job.json", "--deaf")
        features.unlink()

    def listen(self, t):
        """The embeddings of all clips: what is learned of `deep` over the trunk's features."""

        def norm(x, name):
            factor = t[f"{name}.weight"] / np.sqrt(t[f"{name}.running_var"] + 1e-5)
            return (x - t[f"{name}.running_mean"]) * factor + t[f"{name}.bias"]

        frozen = self.clips.sounded()
        rows = frozen.reshape(-1, frozen.shape[2]).astype(np.float32)
        hidden = norm(rows, "calm").clip(-4, 4) @ t["hidden.weight"].T
        return quantise(np.maximum(norm(hidden, "norm"), 0))

    def hears(self, head):
        """The embeddings that a head names."""
        if head is self.head or head.body is None:
            return self.values
        raw, scale = self.listen(head.body)
        return raw.astype(np.float32) * scale[:, None]

    def check(self, replay):
        """What the ears kept of the same clips is what was computed here."""
        theirs = replay["embedding"].astype(np.float32) * replay["scale"][:, None]
        rows = np.concatenate([self.rows(i) for i in self.keep])
        off = np.abs(theirs - self.values[rows]).max() / np.abs(theirs).max()
        if off > 0.02:
            sys.exit(f"listener: {self.folder.name} hears otherwise here than in the ears (by {100 * off:.1f} %)")

    def rows(self, clip):
        return np.arange(clip * self.chunks, (clip + 1) * self.chunks)

    def scores(self, head):
        """Scores of every chunk: clip x chunk x genre."""
        logits = self.hears(head) @ head.layer[:, :-1].T + head.layer[:, -1]
        return softmax(logits / head.temperature).reshape(-1, self.chunks, len(head.genres))

    def named(self, head):
        """The genre with the best mean score of every clip, by name."""
        return np.array(head.genres, object)[self.scores(head).mean(1).argmax(1)]

    def heard(self, head):
        """As the desk weighs a track for the queue: doubt, and the share of chunks that no genre won."""
        best = self.scores(head).max(2)
        far = np.sqrt((((self.hears(head) - head.mean) @ head.whiten) ** 2).mean(1)).reshape(best.shape) > head.beyond
        unsure = (best < head.below) | far
        lacks = 1 - np.round(best * 255) / 255
        return np.where(unsure, np.maximum(lacks, 0.7), lacks).mean(1), unsure.mean(1)

    def retrain(self, name, genres, corrected, labels, seed=0, threads=1):
        """Learn from `labels` (by name) of the clips `corrected`: the report, and the head of the candidate. As the desk
        does it, a new genre that too few tracks are corrected to waits, and so do they."""
        known = set(self.genres)
        counts = {g: labels.count(g) for g in labels}
        genres = [g for g in genres if g in known or counts.get(g, 0) >= TOO_FEW]
        told = [(i, g) for i, g in zip(corrected, labels) if g in genres]
        corrected = [i for i, _ in told]
        rows = np.concatenate([self.rows(i) for i in corrected])
        of = np.repeat(np.arange(len(corrected)), self.chunks)
        weights = np.zeros((len(corrected), len(genres)), np.float32)
        for track, (_, label) in enumerate(told):
            weights[track, genres.index(label)] = 1
        out = self.folder / "candidates"
        out.mkdir(exist_ok=True)
        lessons, path = out / f"{name}.lessons", out / f"{name}.job"
        save(
            lessons,
            {
                "embedding": self.raw[rows],
                "scale": self.scale[rows],
                "track": of.astype(np.uint32),
                "target": weights[of],
                "group": self.clips.group[corrected].astype(np.uint32),
                "weights": weights,
            },
        )
        for old in out.glob(f"{name}.safetensors"):
            old.unlink()
        job = {
            "model": wire(self.model),
            "lessons": wire(lessons),
            "genres": genres,
            "out": wire(out),
            "name": name,
            "seed": seed,
            "folds": 10,
            "threads": threads,
            "replay": wire(self.folder / "base.replay.safetensors"),
        }
        if self.clips.full:
            features = self.folder / "base.features.safetensors"
            job |= {
                "depth": "full",
                "features": wire(features),
                "files": self.clips.files(corrected, load(features)[1]["frozen"]),
                "cache": wire(self.clips.heard),
            }
        path.write_text(json.dumps(job))
        said = ears("retrain", "--job", path, "--deaf")
        report = next(s["report"] for s in said if s["say"] == "retrained")
        head = Head(out / f"{name}.safetensors")
        for left in out.glob(f"{name}.*"):
            left.unlink()
        return report, head


def thin_base(clips, out, seed):
    """Without 40 % of the artists, and with a third of what is left of two genres."""
    held, rng = clips.some_artists(0.4, seed), random.Random(100 + seed)
    thin = rng.sample(range(len(clips.genres)), 2)
    keep = []
    for i in range(len(clips.label)):
        if clips.by[i] not in held and (clips.label[i] not in thin or rng.random() <= 1 / 3):
            keep.append(i)
    return Base(clips, out, f"thin{seed}", keep, clips.genres), [clips.genres[g] for g in thin]


def base_without(clips, out, genre, fold=0):
    """That never heard a genre, nor one of five folds of the artists of the others."""
    genres = [g for g in clips.genres if g != genre]
    keep = [i for i in range(len(clips.label)) if clips.names[i] != genre]
    return Base(clips, out, f"no-{genre}-{fold}" if fold else f"no-{genre}", keep, genres, fold)


def base_of_all(clips, out, fold):
    """That knows every genre, and not one of five folds of the artists."""
    return Base(clips, out, f"all-{fold}", list(range(len(clips.label))), clips.genres, fold)
