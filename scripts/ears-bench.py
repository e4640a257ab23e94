"""How the ears use the cores, and how much memory: some tracks, on one core and on all of them.

    python3 scripts/ears-bench.py EARS MODEL.safetensors TRACK... [--times N] [--memory | --each]

Asks one `serve` for all tracks N times over (default 4; nothing is remembered between two times) and prints tracks a
second, CPU seconds a track without the start, and the most memory that it had; first on one core, then on all. With
--memory on all cores only, and how much it had after every tenth of the tracks. With --each on one core only, one
at a time, and of every track the least of N times.
"""

import argparse
import base64
import json
import os
import pathlib
import subprocess
import sys
import threading
import time


def heard(ears, model, tracks, cores, ahead=None):
    """(wall, CPU seconds, memory in MB after every tenth, most memory, CPU seconds at every answer) for all of `tracks` on
    `cores`, asked for at once, or `ahead` of the answers."""
    command = [ears, "serve", "--model", model, "--device", "cpu"]
    serve = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    assert json.loads(serve.stdout.readline())["say"] == "ready"

    def cpu():
        tasks = pathlib.Path(f"/proc/{serve.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def memory(what):
        status = pathlib.Path(f"/proc/{serve.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(what)) / 1024

    room = threading.Semaphore(ahead or len(tracks))

    def ask():
        for n, track in enumerate(tracks):
            room.acquire()
            path = base64.b64encode(os.fsencode(os.path.abspath(track))).decode()
            serve.stdin.write(json.dumps({"ask": "listen", "id": n, "path": path}) + "\n")
            serve.stdin.flush()

    begun, before = time.monotonic(), cpu()
    threading.Thread(target=ask, daemon=True).start()
    left, tenths, used = len(tracks), [], []
    while left:
        answer = json.loads(serve.stdout.readline())
        if answer["say"] in ("failed", "fatal"):
            sys.exit(f"ears-bench: {answer['reason']}")
        if answer["say"] == "heard":
            left -= 1
            used.append(cpu() - before)
            room.release()
        if (len(tracks) - left) * 10 >= (len(tenths) + 1) * len(tracks):
            tenths.append(memory("VmRSS"))
    wall, most = time.monotonic() - begun, memory("VmHWM")
    serve.stdin.close()
    serve.wait()
    return wall, used[-1], tenths, most, used


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("ears")
    arguments.add_argument("model")
    arguments.add_argument("tracks", nargs="+", metavar="track")
    arguments.add_argument("--times", type=int, default=4)
    arguments.add_argument("--memory", action="store_true")
    arguments.add_argument("--each", action="store_true")
    given = arguments.parse_args()
    tracks = given.tracks * given.times
    cores = sorted(os.sched_getaffinity(0))
    if given.each:
        for track in given.tracks:
            # The first time is the ears' own, too: what they need is made then.
            used = heard(given.ears, given.model, [track] * (given.times + 1), {cores[0]}, ahead=1)[4]
            print(f"{min(b - a for a, b in zip(used, used[1:])):.3f} s of CPU  {track}")
        return
    walls = []
    for some in (set(cores),) if given.memory else ({cores[0]}, set(cores)):
        wall, cpu, tenths, most, _ = heard(given.ears, given.model, tracks, some)
        walls.append(wall)
        print(f"{len(some)} core(s)  {len(tracks) / wall:6.2f} tracks/s  {cpu / len(tracks):.3f} s of CPU a track  {most:.0f} MB")
    if given.memory:
        print("after every tenth:", *(f"{mb:.0f}" for mb in tenths), "MB")
    else:
        print(f"scaling    {walls[0] / walls[1]:.2f}")


if __name__ == "__main__":
    main()
