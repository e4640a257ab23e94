#!/usr/bin/env python3
"""Do features that came from images and features computed from audio give the same answers?

    python3 scripts/mel-or-audio.py DATA [--shipped] [--copies DIR] [--out DIR] [--bar 93]

DATA holds gtzan-mel.safetensors, whose rows the networks were trained on, and gtzan-audio/GENRE/TRACK.ogg, the audio of
some of them. Every clip that is in both is named twice by the same network: by its row, and from its file as a listener's
file is heard (`deepcuts-ears serve`: decode, mel, network). A clip's winner is the genre with the best mean score of its
chunks, as in `deepcuts eval`. Nothing is trimmed off clips of 30 s, so that both are cut into the same chunks.

Five networks are trained, one without each artist fold (`deepcuts train --arch deep`, into OUT, taken up again where it
was left), so that no clip is named by a network that knows its artist; --shipped leaves that out. The networks that are
shipped are asked as well: on the artists that they never met, and, for agreement alone, on all.

Files are coded, and some of them at few bits: with --copies, a folder of other copies of the same clips (whatever they are
called: which row each is, is found by its mel), the same is counted by coding, and how far the mel of row and file are
apart, by a front end that is written once more in numpy.

What a row of the features file is heard as comes from the replay set beside a network's weights, where training keeps the
embedding of every chunk; what a file is heard as comes from the embeddings of `serve`. Both are rounded to a byte a value.

Exits with 1 where less than the bar are named alike. Rows of one fold are shown and not judged: a clip is more than a
point of them. Intervals are of 95 %; that of a difference is made by drawing whole artists anew.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "vendor" / "python"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import numpy as np  # noqa: E402

from listening import mels  # noqa: E402
from listening.hear import UNSURE, Model, hear, paired, wilson  # noqa: E402
from listening.tensors import load  # noqa: E402

DEEPCUTS = os.environ.get("DEEPCUTS", str(ROOT / "target/release/deepcuts"))
FOLDS = 5


class Clips:
    """The rows of the features file, and the files of those whose audio is there."""

    def __init__(self, data):
        self.features = data / "gtzan-mel.safetensors"
        if not self.features.is_file():
            sys.exit(f"mel-or-audio: there is no {self.features}")
        tensors, metadata = load(self.features)
        self.mel, self.genres = tensors["mel"], json.loads(metadata["genres"])
        self.tracks, artists = json.loads(metadata["tracks"]), json.loads(metadata["artists"])
        self.artist = np.array([a.strip().lower() or t for a, t in zip(artists, self.tracks)])
        rows = {track: i for i, track in enumerate(self.tracks)}
        files = sorted(p for p in (data / "gtzan-audio").glob("*/*") if p.is_file())
        self.file = {rows[p.stem]: p for p in files if p.stem in rows}
        self.rows = len(self.tracks)
        others = len(files) - len(self.file)
        print(f"{self.rows} rows, {len(files)} files, {len(self.file)} clips in both"
              + (f"; {others} files have no row" if others else ""))
        if not self.file:
            sys.exit(f"mel-or-audio: no file of {data / 'gtzan-audio'} has a row")


class Copies:
    """Other copies of the clips, by coding, and how far the mels of files and rows are apart."""

    # A file whose outline is further from every row than this (root of the mean square, of 255) is none of the clips.
    STRANGE = 30.0

    def __init__(self, clips, music):
        self.ffmpeg = next((ROOT / "vendor/python/imageio_ffmpeg/binaries").glob("ffmpeg*"), None) or shutil.which("ffmpeg")
        if self.ffmpeg is None:
            sys.exit("mel-or-audio: --copies needs ffmpeg")
        self.of, self.apart, self.clips = {}, {}, clips
        outlines = np.array([mels.outline(m.T.astype(float)) for m in clips.mel])
        for path in sorted(p for p in music.rglob("*") if p.is_file() and p.suffix not in {".csv", ".txt", ".md"}):
            mel, apart = self.mel(path)
            if mel is None:
                print(f"skipped {path.name}: ffmpeg finds no sound in it")
                continue
            off = np.sqrt(((outlines - mels.outline(mel)) ** 2).mean(1))
            row = int(off.argmin())
            if off[row] > self.STRANGE or row not in clips.file:
                print(f"skipped {path.name}: it is none of the clips that are in both")
                continue
            self.of.setdefault(self.coding(path), []).append((row, path))
            self.apart[path] = apart(row)

    def mel(self, path):
        sound = mels.samples(self.ffmpeg, path)
        if not len(sound):
            return None, None
        mel, span = mels.mel(sound, self.clips.mel.shape[2])
        return mel, lambda row: (np.abs(mel - self.clips.mel[row].T).mean() * mels.TOP_DB / 255, span)

    @staticmethod
    def coding(path):
        if path.suffix in (".flac", ".wav"):
            return "lossless"
        # Clips of 30 s.
        return "lossy, 90 kbit/s and more" if path.stat().st_size * 8 / 30_000 >= 90 else "lossy, less than 90 kbit/s"


class Named:
    """Some clips, named twice by one network or by several."""

    def __init__(self):
        self.row, self.audio, self.label, self.artist, self.index = [], [], [], [], []
        self.chunks, self.alike, self.as_said, self.sure = 0, 0, 0, 0

    def add(self, model, clips, heard, replay, pairs):
        """`pairs` of a row and a file."""
        scores, clip, label, _, _ = replay
        for i, path in pairs:
            row, audio = scores[clip == i], heard[path].scores
            self.index.append(i)
            self.row.append(row.mean(0).argmax())
            self.audio.append(audio.mean(0).argmax())
            self.label.append(label[i])
            self.artist.append(clips.artist[i])
            n = min(len(row), len(audio))
            self.chunks += n
            self.alike += int((row[:n].argmax(1) == audio[:n].argmax(1)).sum())
            # What the ears said themselves of the chunks that they named must follow from what was computed here.
            sure = heard[path].winners != UNSURE
            self.sure += int(sure.sum())
            self.as_said += int((audio.argmax(1) == heard[path].winners)[sure].sum())
        return self

    def same(self):
        """Clips named alike, clips, and the share of chunks."""
        return int((np.array(self.row) == np.array(self.audio)).sum()), len(self.row), self.alike / max(self.chunks, 1)

    def line(self, what, held_out, bar):
        """A row of the table; whether the bar is met."""
        row, audio, label = map(np.array, (self.row, self.audio, self.label))
        n, same = len(row), int((row == audio).sum())
        low, high = wilson(same, n)
        cells = [what, str(n), f"{100 * same / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}]",
                 f"{100 * self.alike / self.chunks:.1f} %"]
        if held_out:
            right = (row == label), (audio == label)
            mean, low, high = paired(right[1].astype(float) - right[0], self.artist)
            cells += [f"{100 * right[0].mean():.1f} %", f"{100 * right[1].mean():.1f} %",
                      f"{100 * mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]",
                      f"{int((right[0] & ~right[1]).sum())}, {int((right[1] & ~right[0]).sum())}"]
        else:
            cells += ["-"] * 4
        print("| " + " | ".join(cells) + " |", flush=True)
        if self.as_said < 0.99 * self.sure:
            sys.exit(f"mel-or-audio: of {self.sure} chunks that the ears named only {self.as_said} are named so here")
        return 100 * same >= bar * n


def train(clips, out, fold):
    """`deep` without a fold."""
    folder = out / f"fold-{fold}"
    folder.mkdir(parents=True, exist_ok=True)
    (out / "config.toml").touch()
    command = [DEEPCUTS, "train", "--config", str(out / "config.toml"), "--db", str(out / "library.db"), "--arch", "deep",
               "--folds", str(FOLDS), "--fold", str(fold), "--seeds", "0", "--resume", "--out", str(folder),
               str(clips.features)]
    env = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"mel-or-audio: fold {fold} was not trained:\n{done.stdout}")
    return Model(folder / "deep.safetensors")


def listen(model, paths):
    """File -> what the ears hear in it. A file that cannot be heard is an error: nothing is left out in silence."""
    heard, failed = hear(model, paths)
    for path, reason in failed.items():
        print(f"FAILED  {path}: {reason}", file=sys.stderr)
    if failed:
        sys.exit(f"mel-or-audio: {len(failed)} files could not be heard")
    trimmed = [str(path) for path, h in heard.items() if h.start_ms or h.scores is None]
    if trimmed:
        sys.exit(f"mel-or-audio: {len(trimmed)} files are longer than a clip, as {trimmed[0]}")
    return heard


def folds(clips, out, copies):
    """`deep` without each fold, on the artists of that fold: from the files of DATA, and from other copies by coding."""
    whole, by = Named(), {}
    for fold in range(FOLDS):
        model = train(clips, out, fold)
        replay = model.replay()
        unseen = lambda pairs: [(i, path) for i, path in pairs if not replay[4][i]]
        pairs = unseen(sorted(clips.file.items()))
        others = {coding: unseen(copied) for coding, copied in (copies.of if copies else {}).items()}
        heard = listen(model, [path for _, path in sum(others.values(), pairs)])
        whole.add(model, clips, heard, replay, pairs)
        for coding, copied in others.items():
            theirs, ours = by.setdefault(coding, (Named(), Named()))
            theirs.add(model, clips, heard, replay, copied)
            ours.add(model, clips, heard, replay, [(i, clips.file[i]) for i, _ in copied])
    rows = zip(whole.index, whole.row, whole.audio)
    with open(out / "clips.csv", "w") as file:
        file.write("track,by the row,from audio\n")
        file.writelines(f"{clips.tracks[i]},{clips.genres[a]},{clips.genres[b]}\n" for i, a, b in sorted(rows))
    return whole, by


def told_by_coding(copies, by):
    """What coding does: the table over other copies."""
    print("\n| copies of clips | files | mel of row and file apart (median) | same winner | chunks | the same clips in "
          "gtzan-audio: apart | same winner | chunks |\n|---|---|---|---|---|---|---|---|")
    for coding in sorted(by):
        theirs, ours = by[coding]
        apart = np.median([copies.apart[path][0] for _, path in copies.of[coding]])
        again = np.median([copies.mel(copies.clips.file[i])[1](i)[0] for i, _ in copies.of[coding]])
        cells = [coding, str(len(copies.of[coding]))]
        for db, named in ((apart, theirs), (again, ours)):
            same, n, chunks = named.same()
            cells += [f"{db:.2f} dB", f"{same} of {n}", f"{100 * chunks:.1f} %"]
        print("| " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of gtzan-mel.safetensors and gtzan-audio")
    parser.add_argument("--out", type=Path, default=ROOT / "target/mel-or-audio", help="where networks are kept")
    parser.add_argument("--shipped", action="store_true", help="train nothing: the networks that are shipped alone")
    parser.add_argument("--copies", type=Path, help="a folder of other copies of the clips")
    parser.add_argument("--bar", type=float, default=93.0, help="least percent of the clips that are named alike")
    options = parser.parse_args()
    began, out = time.monotonic(), options.out.absolute()
    clips = Clips(options.data)
    both = sorted(clips.file.items())
    missed, by = [], {}
    copies = Copies(clips, options.copies) if options.copies and not options.shipped else None

    def tell(named, what, held_out, judged=True):
        if not named.line(what, held_out, options.bar) and judged:
            missed.append(what)

    print("\n| network | clips | same winner | same, of the chunks | right by the row | right from audio | difference "
          "| right by the row alone, from audio alone |\n|---|---|---|---|---|---|---|---|", flush=True)
    if not options.shipped:
        whole, by = folds(clips, out, copies)
        tell(whole, f"`deep`, {FOLDS} networks, each on the artists that it never met", True)
    models = ROOT / "models"
    counted = []
    for name, kept in (("deep", "replay.safetensors"), ("cuts", "cuts.replay.safetensors")):
        model = Model(models / f"{name}.safetensors")
        replay = model.replay(models / kept)
        if len(replay[2]) != clips.rows:
            sys.exit(f"mel-or-audio: {name} was trained on {len(replay[2])} clips, {clips.features} has {clips.rows}")
        heard = listen(model, [path for _, path in both])
        fold = model.card["held_out_fold"]
        unseen = [(i, path) for i, path in both if not replay[4][i]]
        tell(Named().add(model, clips, heard, replay, unseen),
             f"`{name}` as shipped, on the artists that it never met (fold {fold})", True, judged=False)
        tell(Named().add(model, clips, heard, replay, both),
             f"`{name}` as shipped, on all, most of which it was trained on", False)
        # The rows of the whole fold, with audio or without: what the card says of them must come out.
        scores, clip, label, _, learned = replay
        rows = [i for i in range(clips.rows) if not learned[i]]
        right = sum(int(scores[clip == i].mean(0).argmax() == label[i]) for i in rows)
        card = next(f for f in model.card["folds"] if f["fold"] == fold and f["seed"] == 0)
        counted.append(f"{name} {right} of {len(rows)} (its card: {round(card['clip_accuracy'] * card['clips'])} of "
                       f"{card['clips']})")
    if by:
        told_by_coding(copies, by)
    if options.shipped:
        print("\nskipped the networks of the other folds, and other copies (--shipped)")
    elif not options.copies:
        print("\nskipped no --copies: other copies of the clips")
    print(f"\nright by all rows of the fold that was left out: {', '.join(counted)}")
    print(f"{time.monotonic() - began:.0f} s")
    for what in missed:
        print(f"FAILED  {what}: less than {options.bar:g} % named alike")
    if not missed:
        print(f"ok      at least {options.bar:g} % of the clips have the same winner, wherever there is a bar")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
