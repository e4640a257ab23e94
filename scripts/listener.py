#!/usr/bin/env python3
"""A simulated listener, who does not hear as the base does: `make listener DATA=DIR`.

Bases are trained without a part of DIR/gtzan-mel.safetensors (some artists, or a whole genre), the listener owns that
part, corrects a few tracks of it, and `deepcuts-ears retrain` learns from them. What it learned is judged on the
listener's other tracks, by artists that no correction names. Everything is seeded; bases are kept in OUT and taken up again.

It speaks to the ears through job files alone, as the desk does, and computes the scores of the result by itself.
"""

import argparse
import base64
import json
import os
import random
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "vendor" / "python"))
import numpy as np  # noqa: E402

KINDS = {"U8": np.uint8, "I8": np.int8, "F32": np.float32, "U32": np.uint32}
NAMES = {np.dtype(kind): name for name, kind in KINDS.items()}
EARS = Path(os.environ.get("DEEPCUTS_EARS", ROOT / "target/release/deepcuts-ears"))
EMBED = Path(os.environ.get("DEEPCUTS_EMBED", ROOT / "target/release/examples/embed"))


def load(path):
    """The tensors and the metadata of a safetensors file."""
    raw = Path(path).read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, of in header.items():
        count = int(np.prod(of["shape"]))
        start = 8 + size + of["data_offsets"][0]
        tensors[name] = np.frombuffer(raw, KINDS[of["dtype"]], count, start).reshape(of["shape"])
    return tensors, metadata


def save(path, tensors, metadata=None):
    """Write a safetensors file."""
    header, blobs, at = {"__metadata__": metadata or {}}, [], 0
    for name, values in tensors.items():
        raw = np.ascontiguousarray(values).tobytes()
        header[name] = {"dtype": NAMES[values.dtype], "shape": list(values.shape), "data_offsets": [at, at + len(raw)]}
        blobs.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def wire(path):
    """A path as it travels in a job."""
    return base64.b64encode(os.fsencode(Path(path).absolute())).decode()


def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def interval(values):
    """Mean and its 95 % interval over splits (normal)."""
    values = np.asarray(values, float)
    half = 1.96 * values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return values.mean(), values.mean() - half, values.mean() + half


def show(values):
    mean, low, high = interval(values)
    return f"{100 * mean:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}, n {len(values)})"


class Clips:
    """The labelled clips that everything is made of."""

    def __init__(self, data):
        self.path = Path(data) / "gtzan-mel.safetensors"
        tensors, self.metadata = load(self.path)
        self.mel, self.label = tensors["mel"], tensors["label"].astype(int)
        self.genres = json.loads(self.metadata["genres"])
        tracks, artists = json.loads(self.metadata["tracks"]), json.loads(self.metadata["artists"])
        self.tracks, self.artists = tracks, artists
        self.by = [a.strip().lower() or t for a, t in zip(artists, tracks)]

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

    def write(self, path, keep, genres):
        """A features file of some clips."""
        label = np.array([genres.index(self.genres[self.label[i]]) for i in keep], np.uint8)
        metadata = {
            **self.metadata,
            "genres": json.dumps(genres),
            "tracks": json.dumps([self.tracks[i] for i in keep]),
            "artists": json.dumps([self.artists[i] for i in keep]),
        }
        save(path, {"mel": self.mel[keep], "label": label}, metadata)


class Base:
    """A network that was trained without a part of the clips, and what it hears in all of them."""

    def __init__(self, clips, out, name, keep, genres):
        self.clips, self.folder, self.keep = clips, Path(out) / name, np.array(keep)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model = self.folder / "base.safetensors"
        if not self.model.with_suffix(".json").exists():
            self.train(genres)
        heard = self.folder / "all.safetensors"
        if not heard.exists():
            subprocess.run([EMBED, self.model, clips.path, heard], check=True)
        tensors, _ = load(heard)
        self.raw, self.scale, self.clip = tensors["embedding"], tensors["scale"], tensors["clip"].astype(int)
        self.rows = [np.where(self.clip == i)[0] for i in range(len(clips.label))]
        values = self.raw.astype(np.float32) * self.scale[:, None]
        self.values = np.hstack([values, np.ones((len(values), 1), np.float32)])
        self.card = json.loads(self.model.with_suffix(".json").read_text())
        self.genres = self.card["genres"]
        replay, _ = load(self.folder / "base.replay.safetensors")
        self.unseen = self.keep[replay["learned"] == 0]
        names = {n: i for i, n in enumerate(sorted(set(clips.by)))}
        self.group = np.array([names[by] for by in clips.by])
        used = set(self.group[self.keep])
        self.library = [i for i in range(len(clips.label)) if i not in set(keep) and self.group[i] not in used]
        self.head = self.read_head(self.model)

    def train(self, genres):
        features = self.folder / "features.safetensors"
        self.clips.write(features, list(self.keep), genres)
        job = {
            "source": {"kind": "features", "path": wire(features)},
            "arch": "cuts",
            "name": "base",
            "out": wire(self.folder),
            "only_folds": [0],
            "threads": 1,
            "device": "cpu",
            "resume": True,
        }
        (self.folder / "job.json").write_text(json.dumps(job))
        print(f"training the base {self.folder.name} on {len(self.keep)} clips", file=sys.stderr, flush=True)
        run(["train", "--job", self.folder / "job.json", "--deaf"])

    @staticmethod
    def read_head(path):
        tensors, _ = load(path)
        card = json.loads(Path(path).with_suffix(".json").read_text())
        layer = np.hstack([tensors["head.weight"], tensors["head.bias"][:, None]])
        known = (tensors["familiar.mean"], tensors["familiar.whiten"], card["unfamiliar_beyond"])
        return layer, card["temperature"], card["genres"], known, card["unsure_below"]

    def named(self, head, clips):
        """The genre with the best mean score, by name."""
        layer, temperature, genres, _, _ = head
        return np.array([genres[softmax(self.values[self.rows[i]] @ layer.T / temperature).mean(0).argmax()] for i in clips])

    def unsure(self, head, clips):
        """Share of the chunks of these clips that no genre wins."""
        layer, temperature, _, (mean, whiten, beyond), below = head
        rows = np.concatenate([self.rows[i] for i in clips])
        weak = softmax(self.values[rows] @ layer.T / temperature).max(1) < below
        far = np.sqrt((((self.values[rows, :-1] - mean) @ whiten) ** 2).mean(1)) > beyond
        return float((weak | far).mean())

    def retrain(self, name, genres, corrected, labels, seed=0, replay=True):
        """Learn from `labels` (by name) of the clips `corrected`; the report, and the head of the candidate."""
        rows = np.concatenate([self.rows[i] for i in corrected])
        of = np.concatenate([np.full(len(self.rows[i]), t) for t, i in enumerate(corrected)])
        weights = np.zeros((len(corrected), len(genres)), np.float32)
        for track, label in enumerate(labels):
            weights[track, genres.index(label)] = 1
        lessons = self.folder / "lessons.safetensors"
        save(
            lessons,
            {
                "embedding": self.raw[rows],
                "scale": self.scale[rows],
                "track": of.astype(np.uint32),
                "target": weights[of],
                "group": self.group[corrected].astype(np.uint32),
                "weights": weights,
            },
        )
        out = self.folder / "candidates"
        for old in out.glob(f"{name}.*"):
            old.unlink()
        job = {
            "model": wire(self.model),
            "lessons": wire(lessons),
            "genres": genres,
            "out": wire(out),
            "name": name,
            "seed": seed,
            "threads": 1,
            **({"replay": wire(self.folder / "base.replay.safetensors")} if replay else {}),
        }
        path = self.folder / "retrain.json"
        path.write_text(json.dumps(job))
        said = run(["retrain", "--job", path, "--deaf"])
        report = next(s["report"] for s in said if s["say"] == "retrained")
        return report, self.read_head(out / f"{name}.safetensors")


def run(arguments):
    done = subprocess.run([EARS, *arguments], stdout=subprocess.PIPE, text=True)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode:
        sys.exit(f"listener: the ears could not: {said[-1] if said else done.returncode}")
    return said


def thin_base(clips, out, seed):
    """Without 40 % of the artists, and with a third of what is left of two genres."""
    held, rng = clips.some_artists(0.4, seed), random.Random(100 + seed)
    thin = rng.sample(range(len(clips.genres)), 2)
    keep = []
    for i in range(len(clips.label)):
        if clips.by[i] not in held and (clips.label[i] not in thin or rng.random() <= 1 / 3):
            keep.append(i)
    return Base(clips, out, f"thin{seed}", keep, clips.genres), [clips.genres[g] for g in thin]


def taxonomy(base, seed):
    """The listener's own: one genre falls in two by how it sounds, and half of another belongs to a third. What sounds
    how is measured in the mel itself, never in an embedding."""
    clips, rng = base.clips, random.Random(seed)
    mel = clips.mel.astype(np.float32)
    sound = {
        "bass": mel[:, :16].mean((1, 2)),
        "air": mel[:, 80:].mean((1, 2)),
        "motion": np.abs(np.diff(mel, axis=2)).mean((1, 2)),
        "level": mel.mean((1, 2)),
    }
    split, redrawn, other = rng.sample(clips.genres, 3)
    by_split, by_redrawn = sound[rng.choice(sorted(sound))], sound[rng.choice(sorted(sound))]
    names = np.array([clips.genres[g] for g in clips.label])

    def upper(genre, measure):
        mine = names == genre
        return mine & (measure > np.median(measure[mine]))

    mine = names.astype(object).copy()
    high = upper(split, by_split)
    mine[(names == split) & high] = f"{split}-high"
    mine[(names == split) & ~high] = f"{split}-low"
    mine[upper(redrawn, by_redrawn)] = other
    genres = [g for g in clips.genres if g != split] + [f"{split}-high", f"{split}-low"]
    return genres, mine, f"{split} split, half of {redrawn} is {other}"


def halves(base, seed):
    """Two halves of the listener's artists: one corrects, the other judges."""
    artists = sorted(set(base.group[base.library]))
    random.Random(1000 + seed).shuffle(artists)
    mine = set(artists[: len(artists) // 2])
    return [i for i in base.library if base.group[i] in mine], [i for i in base.library if base.group[i] not in mine]


def gate(report):
    """Promoted, as the desk has it: the corrections gain, the base does not lose, and no label is poison."""
    base = report["base"]
    return report["poisoned"] is None and report["mine"]["gain_low"] > 0 and (base is None or base["gain_high"] >= 0)


def accuracy(base, head, clips, names):
    return float((base.named(head, clips) == names[clips].astype(str)).mean())


def own_taxonomy(base, splits, count, note, poison=0.0, wrong_only=False, plain=False):
    """`count` corrections of a listener with a taxonomy of their own (or, `plain`, with the base's)."""
    gains, unseen, promoted, flagged, doubtful, seconds, caught = [], [], 0, 0, [], [], []
    for seed in range(splits):
        genres, names, _ = taxonomy(base, seed)
        if plain:
            genres, names = base.genres, np.array([base.genres[g] for g in base.clips.label], object)
        pool, test = halves(base, seed)
        rng = random.Random(seed)
        before = base.named(base.head, range(len(names)))
        if wrong_only:
            pool = [i for i in pool if before[i] != names[i]]
        corrected = rng.sample(pool, min(count, len(pool)))
        labels = [names[i] for i in corrected]
        wrong = rng.sample(range(len(labels)), round(poison * len(labels)))
        for i in wrong:
            labels[i] = rng.choice([g for g in genres if g != labels[i]])
        report, head = base.retrain("candidate", genres, corrected, labels, seed)
        gain = accuracy(base, head, test, names) - float((before[test] == names[test]).mean())
        gains.append(gain)
        judged = [i for i in base.unseen if base.clips.genres[base.clips.label[i]] in genres]
        plain_names = np.array([base.clips.genres[g] for g in base.clips.label], object)
        unseen.append(accuracy(base, head, judged, plain_names) - float((before[judged] == plain_names[judged]).mean()))
        promoted += gate(report)
        flagged += report["poisoned"] is not None
        doubtful.append(len(report["doubts"]))
        caught.append(sum(d["track"] in set(wrong) for d in report["doubts"]))
        seconds.append(report["seconds"])
        if os.environ.get("LISTENER_VERBOSE"):
            m, b = report["mine"], report["base"]
            print(f"    {seed}: {100 * gain:+.1f}; said {100 * m['gain']:+.1f} ({100 * m['gain_low']:+.1f}), base {100 * b['gain']:+.1f}, doubts {len(report['doubts'])}", flush=True)
    print(
        f"{note}: {show(gains)}; base's unseen fold {show(unseen)}; promoted {promoted}, called poisoned {flagged} of "
        f"{splits}; doubts {np.mean(doubtful):.1f}, of them wrong labels {np.mean(caught):.1f}; "
        f"{np.mean(seconds):.1f} s",
        flush=True,
    )
    return gains


def new_genre(base, genre, splits, count):
    """Recall of a genre that the base never heard, after `count` corrected tracks of it."""
    names = np.array([base.clips.genres[g] for g in base.clips.label], object)
    theirs = [i for i in range(len(names)) if names[i] == genre]
    recalls, losses, unsure = [], [], []
    for seed in range(splits):
        artists = sorted({base.group[i] for i in theirs})
        random.Random(seed).shuffle(artists)
        corrected = []
        for artist in artists:
            mine = [i for i in theirs if base.group[i] == artist]
            corrected += mine[: max(0, min(4, count - len(corrected)))]
        used = {base.group[i] for i in corrected}
        test = [i for i in theirs if base.group[i] not in used]
        others = [i for i in base.unseen if base.group[i] not in used]
        report, head = base.retrain("candidate", [*base.genres, genre], corrected, [genre] * len(corrected), seed)
        recalls.append(accuracy(base, head, test, names))
        losses.append(accuracy(base, head, others, names) - accuracy(base, base.head, others, names))
        unsure.append(base.unsure(head, test))
    print(
        f"new genre {genre}, {count} tracks: recall {100 * np.mean(recalls):.0f} % ({100 * min(recalls):.0f} to "
        f"{100 * max(recalls):.0f} over {splits} splits), the other nine {show(losses)}; unsure {100 * np.mean(unsure):.0f} % "
        f"of its chunks, before {100 * base.unsure(base.head, test):.0f} %",
        flush=True,
    )
    return recalls, losses


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="the folder of gtzan-mel.safetensors")
    parser.add_argument("--out", default=str(ROOT / "target/listener"), help="where bases are kept")
    parser.add_argument("--splits", type=int, default=12)
    parser.add_argument("--only", default="base,own,poison,new,time", help="parts to run")
    parser.add_argument("--thin", type=int, default=2, help="bases that lack artists")
    parser.add_argument("--genres", default="classical,reggae,hiphop,metal", help="genres to hold out")
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    clips, parts = Clips(options.data), options.only.split(",")
    for seed in range(options.thin):
        if not {"base", "own", "poison", "time"} & set(parts):
            break
        base, thin = thin_base(clips, options.out, seed)
        names = np.array([clips.genres[g] for g in clips.label], object)
        print(
            f"base {seed}: trained on {len(base.keep)} clips, {thin[0]} and {thin[1]} thin; names "
            f"{100 * accuracy(base, base.head, base.unseen, names):.1f} % of its unseen fold right ({len(base.unseen)}), "
            f"{100 * accuracy(base, base.head, base.library, names):.1f} % of the listener's library ({len(base.library)})",
            flush=True,
        )
        if "own" in parts:
            for count in (20, 50, 100):
                own_taxonomy(base, options.splits, count, f"own taxonomy, {count} corrections")
            own_taxonomy(base, options.splits, 50, "own taxonomy, 50 corrections of what was wrong", wrong_only=True)
            own_taxonomy(base, options.splits, 50, "the base's taxonomy, 50 corrections", plain=True)
        if "poison" in parts:
            own_taxonomy(base, options.splits, 50, "own taxonomy, 50 corrections, 30 % poison", poison=0.3)
            own_taxonomy(base, options.splits, 50, "the base's taxonomy, 50 corrections, 30 % poison", poison=0.3, plain=True)
        if "time" in parts:
            genres, mine, _ = taxonomy(base, 0)
            corrected = random.Random(0).sample(base.library, min(200, len(base.library)))
            began = time.monotonic()
            report, _ = base.retrain("candidate", genres, corrected, [mine[i] for i in corrected])
            print(f"{len(corrected)} corrected tracks: {report['seconds']:.1f} s, {time.monotonic() - began:.1f} s with start and end")
    if "new" in parts:
        for genre in options.genres.split(","):
            genres = [g for g in clips.genres if g != genre]
            keep = [i for i in range(len(clips.label)) if clips.genres[clips.label[i]] != genre]
            base = Base(clips, options.out, f"no-{genre}", keep, genres)
            new_genre(base, genre, min(options.splits, 6), 20)


if __name__ == "__main__":
    main()
