"""Kill and fail a tag write at every system call it makes.

    faults.py PROGRAM EARS [--short]

For each container a real file is tagged under `strace -e inject`: once for every call of the write path that
changes something on a disk (killed there, and failed there with ENOSPC, EIO or EPERM), and for its reads with EIO and
EINTR. After each run the file must be wholly old or wholly new, and after the next start there must be no stale copy, a
sound database, and the state of an uninterrupted run. Prints how many points were tried; exits 1 when one
failed, and 0 with a line that says so when this machine cannot trace.
"""

import concurrent.futures
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = os.path.join(HERE, "vendor/python")
WRITES = "write,pwrite64,fsync,fdatasync,renameat2,rename,unlink,fchmod,fchown,fsetxattr,fremovexattr,utimensat,ftruncate,openat"
READS = "read,pread64"
ERRORS = {
    "write": ["ENOSPC", "EDQUOT", "EIO", "EINTR"], "pwrite64": ["ENOSPC", "EDQUOT", "EIO"], "fsync": ["EIO", "EINTR", "EDQUOT"],
    "fdatasync": ["EIO", "EDQUOT"], "renameat2": ["EIO", "EINVAL", "EDQUOT"], "rename": ["EIO"], "unlink": ["EIO"], "fchmod": ["EPERM"],
    "fchown": ["EPERM"], "fsetxattr": ["ENOSPC", "EDQUOT"], "fremovexattr": ["EIO"], "utimensat": ["EPERM"],
    "ftruncate": ["EIO"], "openat": ["EMFILE", "EDQUOT"], "read": ["EIO"], "pread64": ["EIO", "EINTR"],
}
NAMES = [
    "cbr-v24.mp3", "v1-ape-v24.mp3", "native.flac", "tight.flac", "lib.ogg", "lib.opus", "faststart.m4a", "alac.m4a",
    "f32-both.wav", "id3.aiff", "ape.wv",
]


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(0)


class Bench:
    def __init__(self, program, ears):
        self.program, self.ears = program, ears

    def command(self, root, *args):
        return [self.program, "--config", f"{root}/config.toml", "--db", f"{root}/library.db", *args]

    def run(self, root, *args, trace=()):
        env = dict(os.environ, DEEPCUTS_EARS=self.ears, HOME=root, NO_COLOR="1", RUST_BACKTRACE="0")
        done = subprocess.run([*trace, *self.command(root, *args)], env=env, capture_output=True, timeout=120, check=False)
        return done

    def tag(self, root, path, trace=()):
        return self.run(root, "tag", "--policy", "replace", "--yes", path, trace=trace)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def stale(root):
    return [n for n in os.listdir(f"{root}/Music") if n.startswith(".deepcuts-")]


def calls(log):
    """How often each call was made, by the busiest thread: injection counts by thread."""
    counts = {}
    with open(log, errors="replace") as f:
        for line in f:
            found = re.match(r"(\d+)\s+(?:<... )?(\w+)\(", line)
            if found and "resumed" not in line[:40]:
                counts[found.groups()] = counts.get(found.groups(), 0) + 1
    most = {}
    for (_, name), n in counts.items():
        most[name] = max(most.get(name, 0), n)
    return most


def first_of_write(log, name):
    """How many of `name` the main thread makes before it opens the music file."""
    main, n = None, 0
    with open(log, errors="replace") as f:
        for line in f:
            pid = line.split(None, 1)[0]
            main = main or pid
            if pid == main:
                if "/Music/" in line and "openat(" in line:
                    return n
                if re.match(rf"\d+\s+{name}\(", line):
                    n += 1
    return n


def points(bench, base, path, short):
    """(call, kind, nth) of every point of one file's write, found by a run that is let be."""
    with tempfile.TemporaryDirectory() as work:
        root = f"{work}/m"
        shutil.copytree(base, root, copy_function=shutil.copy2)
        adopt(root)
        log = f"{work}/log"
        done = bench.tag(root, f"{root}/Music/{path}", ["strace", "-f", "-o", log, "-e", f"trace={WRITES},{READS}"])
        if done.returncode != 0:
            sys.exit(f"{path}: {done.stderr.decode()}")
        counts = calls(log)
        tried = []
        for name, n in sorted(counts.items()):
            start = first_of_write(log, name)
            for nth in range(start + 1, n + 1):
                if name in WRITES.split(","):
                    tried.append((name, "signal=SIGKILL", nth))
                for error in ERRORS[name]:
                    tried.append((name, f"error={error}", nth))
        new = digest(f"{root}/Music/{path}")
    if short:
        keep = {"renameat2", "unlink", "fsync", "fchmod", "utimensat", "write"}
        tried = [p for p in tried if p[0] in keep and not p[1].endswith(("EINTR", "EDQUOT"))][:40]
    return tried, new


def adopt(root):
    """Make a copied library know its copied files: same bytes, other places."""
    db = sqlite3.connect(f"{root}/library.db")
    for (row, text) in db.execute("SELECT id, path_text FROM files").fetchall():
        path = f"{root}/Music/{os.path.basename(text)}"
        s = os.stat(path)
        db.execute("UPDATE files SET path = ?, path_text = ?, dev = ?, ino = ?, size = ?, mtime_ns = ?, ctime_ns = ? WHERE id = ?",
                   (path.encode(), path, s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns, row))
    db.commit()
    db.close()


def attempt(bench, base, path, old, new, point):
    name, kind, nth = point
    where = f"{path} {name} {kind} #{nth}"
    with tempfile.TemporaryDirectory(dir=os.environ.get("FAULTS_DIR")) as work:
        root = f"{work}/m"
        shutil.copytree(base, root, copy_function=shutil.copy2)
        adopt(root)
        file = f"{root}/Music/{path}"
        done = bench.tag(root, file, ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}",
                                      "-e", f"inject={name}:{kind}:when={nth}"])
        if not os.path.exists(file):
            return f"{where}: the file is gone"
        if digest(file) not in (old, new):
            return f"{where}: the file is neither old nor new"
        if "SIGKILL" not in kind and stale(root) and name not in ("unlink", "openat") and done.returncode >= 0:
            # A failing journal stops the run with the copy removed by then or by the next start.
            if b"database" not in done.stderr and b"disk" not in done.stderr:
                return f"{where}: a stale copy: {stale(root)} {done.stderr.decode()[-300:]}"
        again = bench.tag(root, file)
        if again.returncode != 0:
            return f"{where}: the next start says {again.stderr.decode()[-300:]}"
        if digest(file) != new:
            return f"{where}: the next start does not finish it"
        if stale(root):
            return f"{where}: a stale copy after the next start"
        db = sqlite3.connect(f"{root}/library.db")
        if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            return f"{where}: the database is damaged"
        if db.execute("SELECT COUNT(*) FROM tag_writes WHERE state IN ('intent', 'ready')").fetchone() != (0,):
            return f"{where}: an open row in the journal"
        db.close()
        back = bench.run(root, "undo", file)
        if back.returncode != 0 or digest(file) != old:
            return f"{where}: undo does not give the old bytes back: {back.stdout.decode()} {back.stderr.decode()[-300:]}"
    return None


def main():
    program, ears = map(os.path.abspath, sys.argv[1:3])
    short = "--short" in sys.argv
    if not shutil.which("strace"):
        skip("strace is not installed")
    if subprocess.run(["strace", "-f", "-e", "inject=fsync:error=EIO:when=9", "-o", "/dev/null", "true"], capture_output=True).returncode:
        skip("strace may not trace here")
    ffmpegs = os.path.join(PACKAGES, "imageio_ffmpeg/binaries")
    ffmpeg = next((os.path.join(ffmpegs, n) for n in os.listdir(ffmpegs) if n.startswith("ffmpeg-")), None) if os.path.isdir(ffmpegs) else None
    if ffmpeg is None:
        skip("ffmpeg and mutagen are not in vendor/python; `make setup` brings them")

    names = ["cbr-v24.mp3"] if short else NAMES
    failed, total = [], 0
    with tempfile.TemporaryDirectory() as work:
        base, made = f"{work}/base", f"{work}/made"
        os.makedirs(f"{base}/Music")
        os.makedirs(made)
        subprocess.run([sys.executable, f"{HERE}/tests/tools/tag_corpus.py", "make", made, ffmpeg], check=True,
                       env=dict(os.environ, PYTHONPATH=PACKAGES, PYTHONDONTWRITEBYTECODE="1"))
        files = []
        for name in names:
            file = f"jazz6-blues2-{name}"
            shutil.copy2(f"{made}/{file}", f"{base}/Music/{file}")
            files.append(file)
        with open(f"{base}/config.toml", "w") as f:
            f.write(f'[ears]\nmodel = "{HERE}/models/cuts.safetensors"\n[watch]\nsettle_seconds = 0\n')
        bench = Bench(program, ears)
        scan = bench.run(base, "scan", f"{base}/Music")
        if scan.returncode != 0:
            sys.exit(scan.stderr.decode())
        for file in files:
            old = digest(f"{base}/Music/{file}")
            tried, new = points(bench, base, file, short)
            with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
                results = list(pool.map(lambda point: attempt(bench, base, file, old, new, point), tried))
            bad = [r for r in results if r]
            failed += bad
            total += len(tried)
            print(f"{file}: {len(tried)} points, {len(bad)} failed", flush=True)
            for reason in bad[:20]:
                print(f"  {reason}", flush=True)
    print(f"{total} points in {len(files)} files, {len(failed)} failed")
    sys.exit(1 if failed else 0)


main()
