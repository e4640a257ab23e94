#!/usr/bin/env python3
"""What is no music of the ten genres should mostly be called unsure. Is it, and what does that cost on music?

    python3 scripts/outside.py [--outside DIR] [--data DATA] [--models deep,cuts] [--bar 80]

Hears by `deepcuts-ears serve`, with the networks that are shipped:
- sounds that are made from numbers (silence, noise, clicks, tones, sweeps, signals), the same ones every time;
- texts spoken by `espeak-ng`, where it is installed;
- with --outside what is known of the packages that DIR holds (Debian's, unpacked by `dpkg -x PACKAGE.deb DIR`): people who
  speak (asterisk-core-sounds-{en,es,fr,it,ru}-wav, fillets-ng-data-{cs,nl}) and free game music (nexuiz-music,
  singularity-music, and, as music that is of one of the genres, wesnoth-1.16-music and fretsonfire-songs-muldjord).

None of it was trained on, and no threshold was fitted to it.

The bar: of the chunks of all made sounds, of all espeak-ng's speech and of all people's speech, each for itself, at least
so many percent are unsure. Exits with 1 below it. Game music has no bar: it is shown by what it is, and genres that were
heard in music of those genres are no mistakes.

What it costs: unsure chunks of artists that the network never met, from its report and, with --data (gtzan-mel.safetensors
and gtzan-audio), heard again from audio; and how many of them would have been right.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import wave
import zipfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "vendor" / "python"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import numpy as np  # noqa: E402

from listening import sounds  # noqa: E402
from listening.hear import UNSURE, Model, hear  # noqa: E402
from listening.tensors import load  # noqa: E402

REPLAY = {"deep": "replay.safetensors", "cuts": "cuts.replay.safetensors"}
MADE, SPOKEN, PEOPLE, OUTSIDE, INSIDE = "made", "spoken by espeak-ng", "spoken by people", "other music", "music of a genre"
JUDGED = (MADE, SPOKEN, PEOPLE)

# Spoken recordings are prompts and lines of a few seconds: they are joined, in the order of their names, to tracks of half a
# minute, so many of each voice or language.
SPEECH_RATE, GAP_S, TRACKS_A_VOICE = 22_050, 0.3, 10
SPEECH = (
    ("prompts", "**/asterisk/sounds/*_*", "**/*.wav"),
    ("dialogues", "**/fillets-ng/sound", "*/cs/*.ogg"),
    ("dialogues", "**/fillets-ng/sound", "*/nl/*.ogg"),
)
# (group, kind, where, the genre that it is)
MUSIC = (
    (OUTSIDE, "electronic and industrial (Nexuiz)", "**/nexuiz/**/music.pk3", None),
    (OUTSIDE, "ambient electronic (Singularity)", "**/singularity/music/**/*.ogg", None),
    (INSIDE, "orchestral (Wesnoth): classical", "**/wesnoth/**/music/*.ogg", "classical"),
    (INSIDE, "metal, all but one guitar (Muldjord)", "**/songs/muldjord/*/song.ogg", "metal"),
)
NO_MUSIC = {"silence.ogg"}  # Wesnoth's pause


def say(text=""):
    print(text, flush=True)


def make(folder):
    """(group, kind, file) of the sounds from numbers and, where there is espeak-ng, of the spoken texts."""
    for n, (kind, name, samples) in enumerate(sounds.made()):
        path = folder / f"{n:02} {kind} {name}.wav"
        sounds.write(path, samples)
        yield MADE, kind, path
    if not shutil.which("espeak-ng"):
        return say("skipped there is no espeak-ng: no speech is made")
    for voice in sounds.VOICES:
        path = folder / f"speech {voice}.wav"
        done = subprocess.run(["espeak-ng", "-v", voice, "-w", str(path), "--stdin"], capture_output=True, text=True,
                              input=" ".join(sounds.TEXTS[voice.split("+")[0]].split()))
        if done.returncode or not path.exists():
            sys.exit(f"outside: espeak-ng could not speak as {voice}: {done.stderr}")
        yield SPOKEN, "whisper" if "whisper" in voice else "speech", path


def samples_of(ffmpeg, path):
    done = subprocess.run([ffmpeg, "-v", "error", "-i", str(path), "-f", "s16le", "-ac", "1", "-ar", str(SPEECH_RATE), "-"],
                          capture_output=True)
    return np.frombuffer(done.stdout, "<i2") / 32768 if done.returncode == 0 else np.zeros(0)


def join(ffmpeg, files, folder, name):
    """Tracks of half a minute from spoken lines."""
    joined, length, made = [], 0, []
    for file in files:
        if len(made) == TRACKS_A_VOICE:
            break
        joined += [samples_of(ffmpeg, file), np.zeros(int(GAP_S * SPEECH_RATE))]
        length += sum(map(len, joined[-2:]))
        if length >= sounds.SECONDS * SPEECH_RATE:
            made.append(folder / f"{name} {len(made):02}.wav")
            sounds.write(made[-1], np.concatenate(joined)[: sounds.SECONDS * SPEECH_RATE], SPEECH_RATE)
            joined, length = [], 0
    return made


def taken(outside, folder):
    """(group, kind, file) of what is known of `outside`."""
    ffmpeg = next((ROOT / "vendor/python/imageio_ffmpeg/binaries").glob("ffmpeg*"), None) or shutil.which("ffmpeg")
    if ffmpeg is None:
        say("skipped there is no ffmpeg: no people's speech is joined")
    for kind, where, which in SPEECH if ffmpeg else ():
        voices = sorted(p for p in outside.glob(where) if p.is_dir())
        if not voices:
            say(f"skipped no {where} in DIR")
        for voice in voices:
            files = sorted(p for p in voice.glob(which) if "silence" not in p.parts)
            name = voice.name if "/" not in which.strip("*/") else which.split("/")[1]
            for path in join(ffmpeg, files, folder, f"{kind} {name}"):
                yield PEOPLE, f"{kind}, {name}", path
    for group, kind, where, _ in MUSIC:
        files = sorted(p for p in outside.glob(where) if p.is_file() and p.name not in NO_MUSIC)
        if not files:
            say(f"skipped no {where} in DIR")
        for file in files:
            if file.suffix != ".pk3":
                yield group, kind, file
                continue
            with zipfile.ZipFile(file) as packed:
                for inner in sorted(i for i in packed.namelist() if i.endswith(".ogg")):
                    path = folder / f"music {Path(inner).name}"
                    path.write_bytes(packed.read(inner))
                    yield group, kind, path


def row(name, tracks, genres, beyond):
    """A row of the table over `tracks`, each a Heard."""
    winners = np.concatenate([t.winners for t in tracks])
    unsure = winners == UNSURE
    # Unsure though the score is high enough: unlike all that was trained on, or silent.
    far = unsure & (np.concatenate([t.best for t in tracks]) / 255 >= beyond + 0.5 / 255)
    mostly = sum(bool((t.winners == UNSURE).mean() >= 0.5) for t in tracks)
    rest = Counter(genres[w] for w in winners[~unsure]).most_common(3)
    heard = ", ".join(f"{genre} {100 * n / len(winners):.0f}" for genre, n in rest if 100 * n / len(winners) >= 0.5)
    say(f"| {name} | {len(tracks)} | {len(winners)} | {100 * unsure.mean():.0f} % | {100 * far.mean():.0f} % | "
        f"{mostly} of {len(tracks)} | {heard or '-'} |")
    return int(unsure.sum()), len(winners)


def table(model, things, bar, missed):
    heard, failed = hear(model, [path for _, _, path in things])
    for path, reason in failed.items():
        say(f"FAILED  {path.name}: {reason}")
        missed.append(f"{model.name}: a file was not heard")
    say(f"\n`{model.name}`:\n")
    say("| what | tracks | chunks | unsure | of all chunks, unlike music alone | mostly unsure | the rest, % of the chunks |")
    say("|---|---|---|---|---|---|---|")
    sums = []
    for group in (*JUDGED, OUTSIDE, INSIDE):
        of_group = [(kind, heard[path]) for g, kind, path in things if g == group and path in heard]
        if not of_group:
            continue
        kinds = list(dict.fromkeys(kind for kind, _ in of_group))
        for kind in kinds:
            row(kind, [h for k, h in of_group if k == kind], model.genres, model.card["unsure_below"])
        if group in JUDGED:
            tracks = [h for _, h in of_group]
            sums.append((group, *row(f"**all {group}**", tracks, model.genres, model.card["unsure_below"])))
    named = [f"{path.stem} ({model.genres[Counter(w for w in heard[path].winners if w != UNSURE).most_common(1)[0][0]]})"
             for g, _, path in things if g in JUDGED and path in heard and (heard[path].winners == UNSURE).mean() < 0.5]
    say(f"\nnamed for the greater part, and no music: {', '.join(named) or 'none'}")
    for group, unsure, chunks in sums:
        share = 100 * unsure / chunks
        if share < bar:
            missed.append(f"{model.name}, {group}: {share:.1f} % of the chunks are unsure, less than {bar:g}")
        else:
            say(f"ok      {model.name}, {group}: {share:.1f} % of the chunks are unsure (bar: {bar:g})")


def cost(models, data):
    """What unsure costs on music of artists that the networks never met."""
    say("\nOn music of held-out artists:\n")
    say("| network, counted on | clips | chunks | unsure | of these, would have been right | right chunks lost to it "
        "| wrong: all chunks, those that are sure | clips mostly unsure |")
    say("|---|---|---|---|---|---|---|---|")
    for model in models:
        report = ROOT / "models/reports" / model.name / "report.json"
        if report.is_file():
            said = next(n for n in json.loads(report.read_text())["networks"] if n["name"] == model.name)
            share, unsure, sure = (said["unsure"][k] for k in ("share", "wrong_among_unsure", "wrong_among_sure"))
            lost, kept = share * (1 - unsure), (1 - share) * (1 - sure)
            say(f"| `{model.name}`, features, 5 folds (its report) | {said['clips']} | - | {100 * share:.1f} % | "
                f"{100 * (1 - unsure):.1f} % | {100 * lost / (lost + kept):.1f} % | {100 * (1 - lost - kept):.1f} %, "
                f"{100 * sure:.1f} % | - |")
        else:
            say(f"skipped there is no {report}")
        if data is None or model.name not in REPLAY:
            continue
        _, metadata = load(data / "gtzan-mel.safetensors")
        tracks = json.loads(metadata["tracks"])
        *_, label, _, learned = model.replay(model.path.with_name(REPLAY[model.name]))
        of = {tracks[i]: label[i] for i in range(len(tracks)) if not learned[i]}
        files = sorted(p for p in (data / "gtzan-audio").glob("*/*") if p.stem in of)
        heard, failed = hear(model, files)
        for path, reason in failed.items():
            say(f"FAILED  {path}: {reason}")
        if not heard:
            say(f"skipped {data / 'gtzan-audio'} holds no clip of the fold that {model.name} never met")
            continue
        unsure = np.concatenate([h.winners == UNSURE for h in heard.values()])
        right = np.concatenate([h.scores.argmax(1) == of[p.stem] for p, h in heard.items()])
        mostly = sum(bool((h.winners == UNSURE).mean() >= 0.5) for h in heard.values())
        genres = Counter(p.parent.name for p in heard)
        fold, lost = model.card["held_out_fold"], (right & unsure).sum() / right.sum()
        say(f"| `{model.name}` as shipped, audio, fold {fold} "
            f"({', '.join(f'{n} {g}' for g, n in genres.most_common())}) | {len(heard)} | {len(unsure)} | "
            f"{100 * unsure.mean():.1f} % | {100 * right[unsure].mean():.1f} % | {100 * lost:.1f} % | "
            f"{100 * (~right).mean():.1f} %, {100 * (~right[~unsure]).mean():.1f} % | {mostly} |")
    if data is None:
        say("\nskipped no --data: nothing is heard again from audio")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outside", type=Path, help="a folder that unpacked packages lie in")
    parser.add_argument("--data", type=Path, help="the folder of gtzan-mel.safetensors and gtzan-audio")
    parser.add_argument("--models", default="deep,cuts", help="networks that are shipped")
    parser.add_argument("--bar", type=float, default=80.0, help="least percent of the chunks that are unsure")
    options = parser.parse_args()
    for path in filter(None, (options.outside, options.data)):
        if not path.is_dir():
            sys.exit(f"outside: there is no folder {path}")
    began, missed = time.monotonic(), []
    models = [Model(ROOT / "models" / f"{name}.safetensors") for name in options.models.split(",")]
    with tempfile.TemporaryDirectory(prefix="deepcuts-outside-") as name:
        things = list(make(Path(name)))
        if options.outside:
            things += taken(options.outside.resolve(), Path(name))
        else:
            say("skipped no --outside: no people who speak, no game music")
        for model in models:
            table(model, things, options.bar, missed)
    cost(models, options.data)
    say(f"\n{time.monotonic() - began:.0f} s")
    for what in missed:
        say(f"FAILED  {what}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
