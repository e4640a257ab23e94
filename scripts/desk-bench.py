"""How fast the desk is without the ears: 100,000 synthetic tracks through pipeline, store and index.

    desk-bench.py PROGRAM SCRIPTED_EARS [TRACKS]

Makes a folder of small WAV files, each with sound of its own, and measures: the first scan, with ears that answer at once
from the file's name; a scan of the unchanged folder, warm; how long commands take from start to end; and how long the
terminal UI takes to its first frame and to its first tracks. A command's figure is the median of 21 runs. Prints a table;
compares nothing, fails at nothing.
"""

import fcntl
import os
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

GENRES = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]


# A title as it is drawn: the cursor may be moved over a space.
TRACK = re.compile(rb"Title(?: |\x1b\[[0-9;]*H)[0-9]{6}")


def wav(path, n):
    """A few samples that no other file has, with an artist and a title."""
    sound = struct.pack("<II", n, n ^ 0x9E3779B9) * 8
    text = lambda name, value: name + struct.pack("<I", len(value)) + value + b"\0" * (len(value) % 2)
    info = b"INFO" + text(b"IART", b"Artist %05d\0" % (n // 12)) + text(b"INAM", b"Title %06d\0" % n)
    parts = [(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)), (b"LIST", info), (b"data", sound)]
    body = b"WAVE" + b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in parts)
    with open(path, "wb") as f:
        f.write(b"RIFF" + struct.pack("<I", len(body)) + body)


def library(music, tracks):
    for n in range(tracks):
        folder = f"{music}/{n // 1200:04}/{n // 12 % 100:02}"
        if n % 12 == 0:
            os.makedirs(folder)
        first, second = GENRES[n % 10], GENRES[n // 10 % 10]
        wav(f"{folder}/{first}{4 + n % 9}-{second}{n % 4}-unsure{n % 3} {n:06}.wav", n)


def opened(command, env):
    """Seconds from the start of the UI to its first frame, and to the first track in it."""
    start = time.monotonic()
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.execve(command[0], command, env)
    seen, frame = b"", None
    while not TRACK.search(seen):
        if not select.select([terminal], [], [], 10)[0]:
            sys.exit(f"the UI shows no track: {seen[-2000:]}")
        seen += os.read(terminal, 1 << 16)
        # The line of the panes is in the first frame, with a library or without.
        if frame is None and b"Library" in seen:
            frame = time.monotonic() - start
    rows = time.monotonic() - start
    # It offers once to write as it hears.
    os.write(terminal, b"n")
    time.sleep(0.2)
    os.kill(pid, signal.SIGTERM)
    # A terminal that nobody reads would hold up the last frame.
    while True:
        try:
            if not os.read(terminal, 1 << 16):
                break
        except OSError:
            break
    os.close(terminal)
    os.waitpid(pid, 0)
    return frame, rows


def main():
    program, ears = map(os.path.abspath, sys.argv[1:3])
    tracks = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with tempfile.TemporaryDirectory() as root:
        music = f"{root}/Music"
        os.makedirs(music)
        library(music, tracks)
        with open(f"{root}/config.toml", "w") as f:
            f.write(f'[ears]\nmodel = "{here}/models/cuts.safetensors"\n[watch]\nsettle_seconds = 0\n')
        env = dict(os.environ, DEEPCUTS_EARS=ears, HOME=root, NO_COLOR="1")

        def run(*args):
            command = [program, "--config", f"{root}/config.toml", "--db", f"{root}/library.db", *args]
            before = os.times()
            start = time.monotonic()
            done = subprocess.run(command, env=env, capture_output=True, check=False)
            wall = time.monotonic() - start
            after = os.times()
            cpu = after.children_user + after.children_system - before.children_user - before.children_system
            if done.returncode not in (0, 1):
                sys.exit(f"{args}: {done.stderr.decode()}")
            return wall, cpu, done.stdout.decode()

        def size(path):
            files = [path] if os.path.isfile(path) else [f"{path}/{name}" for name in os.listdir(path)]
            return sum(map(os.path.getsize, files)) / 1e6

        wall, cpu, said = run("scan", music)
        print(f"{tracks} tracks: {said.splitlines()[0]}")
        print(f"first scan       {wall:8.1f} s   ({cpu:.1f} s of CPU, ears included)")
        print(f"database {size(f'{root}/library.db'):.0f} MB, index {size(f'{root}/library-index'):.0f} MB")
        for attempt in ("rescan", "rescan, warm"):
            wall, cpu, said = run("scan", music)
            print(f"{attempt:16} {wall:8.1f} s   ({cpu:.1f} s of CPU)   {said.splitlines()[0]}")
        one = next(os.path.join(d, f) for d, _, files in os.walk(music) for f in files)
        for words in (["help"], ["status"], ["search", "-n", "50", "mostly jazz with some blues"], ["show", one],
                      ["tag", "--dry-run", one]):
            walls = [run(*words)[:2] for _ in range(21)]
            wall, cpu = (statistics.median(column) * 1000 for column in zip(*walls))
            print(f"{' '.join(words[:1]):16} {wall:8.1f} ms  ({cpu:.1f} ms of CPU)")
        ui = [program, "--config", f"{root}/config.toml", "--db", f"{root}/library.db"]
        terminal = dict(env, TERM="xterm-256color")
        opened(ui, terminal)
        frame, rows = (statistics.median(column) * 1000 for column in zip(*(opened(ui, terminal) for _ in range(21))))
        print(f"{'UI, first frame':16} {frame:8.1f} ms")
        print(f"{'UI, first tracks':16} {rows:8.1f} ms")


main()
