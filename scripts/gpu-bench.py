"""The ears at work on a folder, measured: called by gpu-bench.sh, which says what for.

Speaks the ears' own protocol, so that no database and no desk stand between. Needs nothing but Python.
"""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
EARS = os.environ.get("DEEPCUTS_EARS", str(ROOT / "target/release/deepcuts-ears"))
AUDIO = {".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wav", ".aiff"}
# Files that are asked for and not answered: enough that no worker ever waits for us.
AHEAD = 64
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def thread_seconds(pid):
    """CPU seconds of each thread of a process, by name."""
    seconds = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        fields = rest.split()
        seconds[name] = seconds.get(name, 0) + (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return seconds


class Occupancy:
    """The GPU's own measure of its use, sampled while something runs."""

    def __init__(self):
        self.samples, self.on = [], True
        self.thread = threading.Thread(target=self.run) if shutil.which("nvidia-smi") else None
        if self.thread:
            self.thread.start()

    def run(self):
        ask = ["nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
        while self.on:
            said = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.split("\n")[0].split(",")
            if len(said) == 2:
                self.samples.append((float(said[0]), float(said[1])))
            time.sleep(0.2)

    def end(self):
        self.on = False
        if self.thread:
            self.thread.join()
        if not self.samples:
            return "-", "-"
        return f"{sum(s[0] for s in self.samples) / len(self.samples):.0f} %", f"{max(s[1] for s in self.samples):.0f} MiB"


def listen(model, device, workers, files):
    """Hear `files`; (device used, hearings by number, seconds, share of them that the network's thread was busy)."""
    command = [EARS, "serve", "--model", model, "--device", device, "--workers", str(workers)]
    ears = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ready = json.loads(ears.stdout.readline())
    if ready["say"] != "ready":
        sys.exit(f"gpu-bench: the ears do not start: {ready}")
    heard, failed, asked, began = {}, 0, 0, time.monotonic()
    before = thread_seconds(ears.pid)

    def ask():
        nonlocal asked
        if asked < len(files):
            path = base64.b64encode(os.fsencode(files[asked])).decode()
            ears.stdin.write(json.dumps({"ask": "listen", "id": asked, "path": path}) + "\n")
            ears.stdin.flush()
            asked += 1

    for _ in range(AHEAD):
        ask()
    while len(heard) + failed < len(files):
        answer = json.loads(ears.stdout.readline())
        if answer["say"] == "heard":
            heard[answer["id"]] = answer["hearing"]
        elif answer["say"] == "failed":
            failed += 1
            print(f"gpu-bench: {files[answer['id']]}: {answer['reason']}", file=sys.stderr)
        elif answer["say"] == "fatal":
            sys.exit(f"gpu-bench: {answer['reason']}")
        if answer["say"] in ("heard", "failed"):
            ask()
    seconds = time.monotonic() - began
    after = thread_seconds(ears.pid)
    busy = after.get("classify", 0) - before.get("classify", 0)
    ears.stdin.close()
    ears.wait()
    return ready["device"]["kind"], heard, seconds, busy / seconds


def main():
    if not 2 <= len(sys.argv) <= 4:
        sys.exit("usage: gpu-bench.sh MUSIC_DIR [MODEL.safetensors] [TRACKS]")
    music = sorted(p for p in pathlib.Path(sys.argv[1]).rglob("*") if p.suffix.lower() in AUDIO and p.is_file())
    model = sys.argv[2] if len(sys.argv) > 2 else str(ROOT / "models/cuts.safetensors")
    tracks = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    if not music:
        sys.exit(f"gpu-bench: no music in {sys.argv[1]}")
    files = [str(music[i % len(music)].resolve()) for i in range(tracks)]
    for path in music:
        path.read_bytes()  # into the page cache: the disk is not what is measured
    cores = len(os.sched_getaffinity(0))
    counts = sorted({n for n in (1, 2, 4, 8, 16) if n <= cores} | {cores})
    print(f"{tracks} tracks from {len(music)} files, {pathlib.Path(model).name}, {cores} cores")
    print("| device | workers | tracks/s | hours of audio a second | network thread busy | GPU busy | GPU memory |")
    print("|---|---|---|---|---|---|---|")
    kinds = {}
    for device in ("auto", "cpu"):
        for workers in counts if device == "auto" else counts[-1:]:
            gpu = Occupancy()
            kind, heard, seconds, busy = listen(model, device, workers, files)
            use, memory = gpu.end()
            hours = sum(h["duration_ms"] for h in heard.values()) / 3.6e6
            print(
                f"| {kind} | {workers} | {len(heard) / seconds:.1f} | {hours / seconds:.2f} | {busy:.0%} | {use} | {memory} |",
                flush=True,
            )
            kinds[kind] = heard
    if len(kinds) == 2:
        one, other = kinds.values()
        pairs = [
            pair
            for i in one.keys() & other.keys()
            for pair in zip(*(base64.b64decode(h[i]["timeline"]["winners"]) for h in (one, other)))
        ]
        same = sum(a == b for a, b in pairs)
        print(f"\nsame winner on both devices: {same} of {len(pairs)} chunks ({same / max(1, len(pairs)):.3%}; the bar is 99.9 %)")


if __name__ == "__main__":
    main()
