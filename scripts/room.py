#!/usr/bin/env python3
"""How well a new genre can be told from the others at all: `scripts/room.py DATA` (after `make listener`, which builds what
it needs), a table on stdout.

For every genre and each of five artist folds a base (`deep`) is trained without the genre and without the fold. Twenty
corrected tracks of the genre make it a new output, and the bias of that output is swept: at one end it is found in
nothing, at the other in everything. The table says how much of the genre (of artists that no correction names) is found

- by the rule of the ears (`ears/src/train/retrain/newcomer.rs`), and what that costs the other genres in the fold;
- at most, where the others lose a point: the bias is read off the judged tracks themselves, which nobody can who has not
  heard them;
- by a network that learned the genre from all its clips, artists of the fold apart, and what the tenth genre costs there.

The new output is fitted here as the ears fit it, but for the old outputs, which the ears hold nearly still and this quite;
and the base's temperature stays.
"""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "vendor" / "python"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import numpy as np  # noqa: E402

from listener import CORRECTED, DRAWS, NEW, TUNED, mark  # noqa: E402
from listening.scenes import new_tracks  # noqa: E402
from listening.tensors import softmax  # noqa: E402
from listening.world import Clips, base_of_all, base_without  # noqa: E402

FOLDS = range(5)
POINT = 0.01  # of accuracy, that the others may lose
# As in course.rs and newcomer.rs.
NEAR, BLENDED, LEAST_OF_BLEND, HALF, TURN = 1e-3, 0.5, 0.3, 50.0, 0.3
FOUND, TAKEN, ROOM, ROOM_STEP = 0.9, 0.045, 4.0, 0.1


def sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


def together(logits):
    """What a single logit against all of these has to beat."""
    top = logits.max(-1)
    return top + np.log(np.exp(logits - top[..., None]).sum(-1))


def fit(rows, target, weights, rival, begin):
    """The new output: its logit against `rival`, near where it begins, by Newton's steps."""
    hold = NEAR * (rows**2).sum(1).mean()
    output = begin.copy()

    def loss(output):
        logit = rows @ output - rival
        return (weights * (np.logaddexp(0, logit) - target * logit)).sum() + 0.5 * hold * ((output - begin) ** 2).sum()

    at = loss(output)
    for _ in range(50):
        score = sigmoid(rows @ output - rival)
        slope = rows.T @ (weights * (score - target)) + hold * (output - begin)
        curve = (rows * (weights * score * (1 - score))[:, None]).T @ rows + hold * np.eye(rows.shape[1])
        step, length = np.linalg.solve(curve, slope), 1.0
        while length > 1e-4 and loss(output - length * step) > at:
            length /= 2
        output = output - length * step
        before, at = at, loss(output)
        if before - at < 1e-9 * abs(at):
            break
    return output


class Newcomer:
    """A base, and a genre that it never heard."""

    def __init__(self, base):
        self.base, self.chunks, self.temperature = base, base.chunks, base.head.temperature
        self.rows = np.hstack([base.values, np.ones((len(base.values), 1))]).astype(np.float64)
        self.old = base.head.layer.astype(np.float64)
        logits = self.rows @ self.old.T
        self.rival, self.scores = together(logits / self.temperature), softmax(logits / self.temperature)
        unseen = set(base.unseen)
        self.learned = [i for i in base.keep if i not in unseen]
        self.right = base.named(base.head) == base.clips.names

    def of(self, clips):
        return (np.asarray(clips)[:, None] * self.chunks + np.arange(self.chunks)).ravel()

    def begin(self, corrected):
        """Where the output begins: the mean of the others, turned to its lessons by the Gaussian of what was known."""
        mean, whiten = self.base.head.mean.astype(np.float64), self.base.head.whiten.astype(np.float64)
        inside = (self.rows[self.of(corrected), :-1].mean(0) - mean) @ whiten
        turn = whiten @ inside * TURN
        return self.old.mean(0) + np.append(turn, -turn @ mean - 0.5 * TURN * (inside**2).sum())

    def learn(self, corrected, blends, part=1):
        """The output after these tracks; of what is replayed every `part`th row."""
        share = len(corrected) / (len(corrected) + HALF) / (len(self.old) + 1)
        share /= 1 + share
        told, known, blends = self.rows[self.of(corrected)], self.rows[self.of(self.learned)][::part], blends[::part]
        rows = np.vstack([told, known, blends])
        each = [share / len(told), (1 - BLENDED) * (1 - share) / len(known), BLENDED * (1 - share) / len(blends)]
        weights = np.repeat(each, [len(told), len(known), len(blends)])
        target = (np.arange(len(rows)) < len(told)).astype(np.float64)
        return fit(rows, target, weights, together(rows @ self.old.T), self.begin(corrected))

    def blends(self, seed):
        rng, known = np.random.default_rng(seed), self.rows[self.of(self.learned)]
        count = len(known)
        of_a = rng.uniform(LEAST_OF_BLEND, 1 - LEAST_OF_BLEND, count)[:, None]
        return of_a * known[rng.integers(0, count, count)] + (1 - of_a) * known[rng.integers(0, count, count)]

    def needs(self, logits, clips):
        """By clip: what the new output has to gain until the clip is named by it."""
        clips = np.asarray(clips)
        at = self.of(clips)
        logit, rival = logits[at].reshape(-1, self.chunks), self.rival[at].reshape(-1, self.chunks)
        scores = self.scores[at].reshape(len(clips), self.chunks, -1)
        low, high = np.full(len(clips), -25.0), np.full(len(clips), 25.0)
        for _ in range(22):
            middle = (low + high) / 2
            new = sigmoid((logit + middle[:, None]) / self.temperature - rival)
            wins = new.mean(1) > ((1 - new)[:, :, None] * scores).mean(1).max(1)
            low, high = np.where(wins, low, middle), np.where(wins, middle, high)
        return high

    def room(self, output, blends, needed):
        """As newcomer.rs has it, where there are no lessons but of the new genre."""
        rival = together(blends @ self.old.T / self.temperature)
        for by in np.arange(-ROOM, ROOM + ROOM_STEP / 2, ROOM_STEP):
            taken = sigmoid((blends @ output + by) / self.temperature - rival).mean()
            if by > 0 and taken > TAKEN:
                return by - ROOM_STEP
            if (needed <= by).mean() >= FOUND:
                return by
        return ROOM

    def play(self, genre, seed):
        """Found and lost by the rule, and found at the most where the others lose a point."""
        group = self.base.clips.group
        corrected, test, others = new_tracks(self.base, genre, seed, CORRECTED)
        blends = self.blends(seed)
        output = self.learn(corrected, blends)
        logits, held = self.rows @ output, np.zeros(len(self.rows))
        artists = sorted({group[i] for i in corrected})
        for artist in artists:
            out = [i for i in corrected if group[i] == artist]
            rest = [i for i in corrected if group[i] != artist]
            held[self.of(out)] = self.rows[self.of(out)] @ self.learn(rest, blends, part=3)
        by = self.room(output, blends, self.needs(held, corrected))
        mine, theirs = self.needs(logits, test), self.needs(logits, others)
        theirs = np.sort(theirs[self.right[others]])
        # So many of them may go; between two whole numbers, in between.
        spare = POINT * len(others)
        most = [(mine < theirs[n]).mean() if n < len(theirs) else 1.0 for n in (int(spare), int(spare) + 1)]
        return (mine <= by).mean(), (theirs <= by).sum() / len(others), np.interp(spare % 1, [0, 1], most)


def study(clips, out, genre, known):
    """A line of the table."""
    seeds = range(TUNED["seeds"][0], TUNED["seeds"][0] + DRAWS) if genre in TUNED["genres"] else range(DRAWS)
    played, without, counted = [], 0, 0
    for fold in FOLDS:
        base = base_without(clips, out, genre, fold)
        newcomer = Newcomer(base)
        played += [newcomer.play(genre, seed) for seed in seeds]
        without += newcomer.right[base.unseen].sum()
        counted += len(base.unseen)
    found, lost, most = 100 * np.mean(played, 0)
    mine = clips.names == genre
    full, cost = 100 * known[mine].mean(), 100 * (without / counted - known[~mine].mean())
    where = "tuned on" if genre in TUNED["genres"] else "played"
    return f"| {genre} | {where} | {found:.0f} % | {lost:.1f} | {most:.0f} % | {full:.0f} % | {cost:.1f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="the folder of gtzan-mel.safetensors")
    parser.add_argument("--out", default=str(ROOT / "target/room"), help="where bases are kept")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="genres side by side")
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    clips = Clips(options.data, out, mark)
    known = np.zeros(len(clips.label), bool)
    for fold in FOLDS:
        base = base_of_all(clips, out, fold)
        known[base.unseen] = (base.named(base.head) == clips.names)[base.unseen]
    print("| genre | | found by the rule | others lose | found at most for 1.0 | learned in full | others lose |")
    print("|---|---|---|---|---|---|---|")
    with ThreadPoolExecutor(options.workers) as pool:
        for line in pool.map(lambda genre: study(clips, out, genre, known), [*TUNED["genres"], *NEW]):
            print(line, flush=True)


if __name__ == "__main__":
    main()
