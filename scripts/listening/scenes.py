"""What the listener does: scenes that are played once a seed, each giving plain numbers."""

import json
import os
import random
import subprocess
import threading

import numpy as np

from .world import BIN

COUNTS = (20, 35, 50, 75, 100)  # twenty tracks are the least that the desk learns from


class Desk:
    """The desk's queue and gate, as the program has them."""

    def __init__(self):
        self.program = os.environ.get("DEEPCUTS_DESK", BIN / "examples/listener")
        self.process = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()

    def ask(self, question):
        with self.lock:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def queue(self, base, clips, limit):
        doubt, unsure = base.heard(base.head)
        top = base.scores(base.head).mean(1).argmax(1)
        points = base.values.reshape(-1, base.chunks, base.values.shape[1]).mean(1)
        tracks = [
            {
                "track": i,
                "doubt": float(doubt[i]),
                "unsure": float(unsure[i]),
                "top": int(top[i]),
                "said": False,
                "vector": [round(float(v), 5) for v in points[i]],
            }
            for i in clips
        ]
        return self.ask({"queue": {"limit": limit, "tracks": tracks}})

    def gate(self, report):
        return self.ask({"gate": report})["passed"]


def taxonomy(base, seed):
    """The listener's own: two genres are each split in two by how they sound, or half of them belongs to another. What
    sounds how is measured in the mel itself, never in an embedding."""
    clips, rng = base.clips, random.Random(seed)
    mine, genres, what = clips.names.copy(), list(clips.genres), []
    library = np.zeros(len(clips.label), bool)
    library[base.library] = True
    drawn = rng.sample(clips.genres, 4)
    for genre, other in zip(drawn[:2], drawn[2:]):
        measure = rng.choice(sorted(clips.sound))
        here, sound = clips.names == genre, clips.sound[measure]
        upper = here & (sound > np.median(sound[here & library]))
        if rng.random() < 0.5:
            high, low = f"{genre}-high", f"{genre}-low"
            mine[upper], mine[here & ~upper] = high, low
            genres = [g for g in genres if g != genre] + [high, low]
            what.append(f"{genre} split by {measure}")
        else:
            mine[upper] = other
            what.append(f"{genre} of much {measure} is {other}")
    return genres, mine, ", ".join(what)


def halves(base, names, seed):
    """Two halves of the listener's artists, with as much of each of their genres as can be: one corrects, the other
    judges."""
    clips, rng = base.clips, random.Random(1000 + seed)
    of = {}
    for i in base.library:
        of.setdefault(clips.group[i], []).append(i)
    artists = sorted(of)
    rng.shuffle(artists)
    artists.sort(key=lambda a: -len(of[a]))
    sides, count = ([], []), [{}, {}]
    for artist in artists:
        mine = {}
        for i in of[artist]:
            mine[names[i]] = mine.get(names[i], 0) + 1
        # The side that has less of what this artist plays.
        burden = [sum(n * count[side].get(g, 0) for g, n in mine.items()) for side in (0, 1)]
        side = int(burden[1] < burden[0]) if burden[0] != burden[1] else rng.randrange(2)
        sides[side].extend(of[artist])
        for g, n in mine.items():
            count[side][g] = count[side].get(g, 0) + n
    return sorted(sides[0]), sorted(sides[1])


class Scene:
    """A listener with a taxonomy, and the tracks they correct and are judged by."""

    def __init__(self, desk, base, seed, own=True):
        self.desk, self.base, self.seed = desk, base, seed
        clips = base.clips
        self.genres, self.names, self.what = taxonomy(base, seed) if own else (base.genres, clips.names, "the base's")
        self.pool, self.test = halves(base, self.names, seed)
        self.before = base.named(base.head)
        self.random = list(self.pool)
        random.Random(seed).shuffle(self.random)

    def wrong(self, order):
        """Those of them that are named wrong: what a listener corrects."""
        return [i for i in order if self.before[i] != self.names[i]]

    def correct(self, corrected, poison=0.0):
        """What these corrections are worth on the tracks of the other artists."""
        base, rng = self.base, random.Random(self.seed)
        labels = [self.names[i] for i in corrected]
        wrong = rng.sample(range(len(labels)), round(poison * len(labels)))
        for i in wrong:
            labels[i] = rng.choice([g for g in self.genres if g != labels[i]])
        name = f"{self.seed}-{len(corrected)}-{threading.get_ident()}"
        report, head = base.retrain(name, self.genres, corrected, labels, self.seed)
        after = base.named(head)
        here = base.unseen[np.isin(base.clips.names[base.unseen], self.genres)]

        said = after.copy()
        said[corrected] = labels
        library = self.pool + self.test

        def gain(at, names):
            return float((after[at] == names[at]).mean() - (self.before[at] == names[at]).mean())

        return {
            "gain": gain(self.test, self.names),
            "before": float((self.before[self.test] == self.names[self.test]).mean()),
            "base": gain(here, base.clips.names),
            "mistakes": float((self.before[corrected] != self.names[corrected]).mean()),
            # Their whole library as they then see it: what they said stands, the rest is named anew.
            "library": float((said[library] == self.names[library]).mean() - (self.before[library] == self.names[library]).mean()),
            "said": report["mine"]["gain"],
            "passed": self.desk.gate(report),
            "poisoned": report["poisoned"] is not None,
            "doubts": len(report["doubts"]),
            "seconds": report["seconds"],
        }


def new_tracks(base, genre, seed, count):
    """Of a genre that the base never heard: `count` corrected tracks, at most four an artist; those of its other artists,
    and of the others those that the base never saw."""
    clips = base.clips
    theirs = [i for i in range(len(clips.label)) if clips.names[i] == genre]
    artists = sorted({clips.group[i] for i in theirs})
    random.Random(seed).shuffle(artists)
    corrected = []
    for artist in artists:
        mine = [i for i in theirs if clips.group[i] == artist]
        corrected += mine[: max(0, min(4, count - len(corrected)))]
    used = {clips.group[i] for i in corrected}
    test = [i for i in theirs if clips.group[i] not in used]
    return corrected, test, [i for i in base.unseen if clips.group[i] not in used]


def new_genre(desk, base, genre, seed, count):
    """Recall of a genre that the base never heard, after `count` corrected tracks of it."""
    clips = base.clips
    corrected, test, others = new_tracks(base, genre, seed, count)
    name = f"{genre}-{seed}-{threading.get_ident()}"
    report, head = base.retrain(name, [*base.genres, genre], corrected, [genre] * len(corrected), seed)
    before, after = base.named(base.head), base.named(head)
    _, unsure = base.heard(head)
    _, unsure_before = base.heard(base.head)
    return {
        "recall": float((after[test] == genre).mean()),
        "tested": len(test),
        "artists": len({clips.group[i] for i in corrected}),
        "others": float((after[others] == clips.names[others]).mean() - (before[others] == clips.names[others]).mean()),
        "judged": len(others),
        "unsure": float(unsure[test].mean()),
        "unsure_before": float(unsure_before[test].mean()),
        "passed": desk.gate(report),
        "seconds": report["seconds"],
    }
