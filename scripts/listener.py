#!/usr/bin/env python3
"""A simulated listener, who does not hear as the base does: `make listener DATA=DIR`.

Bases (`deep`) are trained without a part of DIR/gtzan-mel.safetensors (some artists, or a whole genre); the listener owns
that part, corrects a few tracks of it, and `deepcuts-ears retrain` learns from them. What it learned is judged on the
listener's other tracks, by artists that no correction names. The queue and the gate are the desk's own.

Everything is seeded. Bases and results are kept in OUT and taken up again; a program or a script that changed since plays
its scenes anew. The retraining's constants were chosen on other seeds and other held-out genres than those played here
(`TUNED`); the clips are the same, for there are no others.

OUT/report.md, OUT/report.json and OUT/*.svg are the report.
"""

import argparse
import hashlib
import json
import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "vendor" / "python"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import numpy as np  # noqa: E402

from listening import report  # noqa: E402
from listening.scenes import COUNTS, Desk, Scene, new_genre  # noqa: E402
from listening.world import EARS, Clips, base_without, thin_base  # noqa: E402

SEEDS = range(12)
TUNED = {"seeds": [100, 115], "genres": ["metal", "disco", "country", "blues"]}
NEW = ("classical", "reggae", "hiphop", "jazz", "pop", "rock")
DRAWS = 3
CORRECTED = 20


def mark(paths):
    """What results depend on, as a short hash."""
    hashed = hashlib.blake2b(digest_size=8)
    for path in paths:
        hashed.update(Path(path).read_bytes())
    return hashed.hexdigest()


def share(flags):
    return float(np.mean(flags))


def play(desk, clips, out, seed):
    """All scenes of one draw of artists."""
    base, thin = thin_base(clips, out, seed)
    named = base.named(base.head)
    right = named == clips.names
    is_thin = np.isin(clips.names, thin)
    library = np.zeros(len(right), bool)
    library[base.library] = True
    own, plain = Scene(desk, base, seed), Scene(desk, base, seed, own=False)
    queue = desk.queue(base, own.pool, len(own.pool))
    wrong = own.wrong(own.random)
    counts = [n for n in COUNTS if n <= len(own.pool)]
    fixed = [n for n in COUNTS if n <= len(wrong)]
    fifty = min(50, len(wrong))
    return {
        "seed": seed,
        "base": {
            "learned": int(len(base.keep) - len(base.unseen)),
            "thin": thin,
            "unseen": share(right[base.unseen]),
            "unseen_clips": len(base.unseen),
            "library": share(right[base.library]),
            "library_clips": len(base.library),
            "thin_recall": share(right[library & is_thin]),
            "other_recall": share(right[library & ~is_thin]),
        },
        "what": own.what,
        "pool": len(own.pool),
        "wrong": len(wrong),
        "test": len(own.test),
        "before": share(own.before[own.test] == own.names[own.test]),
        "corrected": {str(n): own.correct(wrong[:n]) for n in sorted({*fixed, fifty})},
        "fifty": fifty,
        "random": {str(n): own.correct(own.random[:n]) for n in counts},
        "queue": {str(n): own.correct(queue[:n]) for n in counts},
        "poison": own.correct(wrong[:fifty], poison=0.3),
        "plain": plain.correct(plain.random[:50]),
        "plain_poison": plain.correct(plain.random[:50], poison=0.3),
    }


def hold_out(desk, clips, out, genre):
    """A genre that the base never heard."""
    base = base_without(clips, out, genre)
    return {"genre": genre, "draws": [new_genre(desk, base, genre, seed, CORRECTED) for seed in range(DRAWS)]}


def time_200(clips, out):
    """How long 200 corrected tracks take, all of the machine for it."""
    base, _ = thin_base(clips, out, SEEDS[0])
    corrected = random.Random(0).sample(range(len(clips.label)), 200)
    began = time.monotonic()
    said, _ = base.retrain("timed", base.genres, corrected, [clips.names[i] for i in corrected], threads=0)
    return {"tracks": 200, "ears_s": said["seconds"], "wall_s": time.monotonic() - began}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="the folder of gtzan-mel.safetensors")
    parser.add_argument("--out", default=str(ROOT / "target/listener"), help="where bases, results and report are kept")
    parser.add_argument("--seeds", default=f"{SEEDS[0]}-{SEEDS[-1]}", help="draws of artists, FIRST-LAST")
    parser.add_argument("--genres", default=",".join(NEW), help="genres to hold out, one after another")
    parser.add_argument("--full", action="store_true", help="retrain all above the trunk, not the last layer alone")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="scenes played side by side")
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    out, began = Path(options.out), time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    desk = Desk()
    here = Path(__file__).resolve().parent
    version = mark([EARS, desk.program, here / "listener.py", here / "listening/scenes.py", here / "listening/world.py"])
    clips = Clips(options.data, out, mark, options.full)
    bases = out / f"bases-{version}"
    bases.mkdir(exist_ok=True)
    first, last = (int(n) for n in options.seeds.split("-"))

    def kept(name, do):
        name = f"full-{name}" if options.full else name
        path = out / f"results/{version}-{name}.json"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            result = do()
            part = path.with_suffix(".part")
            part.write_text(json.dumps(result))
            part.rename(path)
            print(f"{name} after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        return json.loads(path.read_text())

    timed = kept("time", lambda: time_200(clips, bases))
    with ThreadPoolExecutor(options.workers) as pool:
        seeds = range(first, last + 1)
        listeners = pool.map(lambda s: kept(f"seed{s}", lambda: play(desk, clips, bases, s)), seeds)
        genres = options.genres.split(",")
        new = pool.map(lambda g: kept(f"new-{g}", lambda: hold_out(desk, clips, bases, g)), genres)
        results = {"listeners": list(listeners), "new": list(new), "timed": timed, "tuned": TUNED}
    results["seconds"] = time.monotonic() - began
    print(report.write(out, results))


if __name__ == "__main__":
    main()
