"""The working half of scripts/setup: fetches pinned wheels with pip and lays them out under the vendor folder.

Called as `fetch.py VENDOR PLATFORM WHAT...`, WHAT being `python`, `musicnn`, `libtorch` or `cuda`. Each of them is put together
in a hidden folder beside its place and renamed into it as the last step, so an interrupted run leaves nothing
half-made. Wheels that arrived whole stay in VENDOR/.download until libtorch stands, so a retry does not fetch them again.

Only pip talks to the network, with the user's own configuration (mirror, proxy, certificates).
"""

import fcntl
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

sys.dont_write_bytecode = True  # no __pycache__ beside the scripts
import musicnn  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PINS = os.path.join(ROOT, "scripts", "pins")
LIBTORCH_VERSION = "2.11.0"
ATTEMPTS = 3
MB = 1024 * 1024

# What pip is told about the machine, rather than what it finds: any Python will do to fetch, the wheel for 3.11 is meant.
WHEEL_TAGS = {
    "linux-x86_64": ["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_25_x86_64", "manylinux_2_18_x86_64",
                     "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"],
    "linux-aarch64": ["manylinux_2_28_aarch64", "manylinux_2_25_aarch64", "manylinux_2_17_aarch64",
                      "manylinux2014_aarch64"],
    "macos-arm64": ["macosx_14_0_arm64", "macosx_11_0_arm64"],
}

# The libraries that libtorch_cpu loads, and it. All else in the wheel is Python or CUDA.
LIBRARIES = {
    "linux-x86_64": ["libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcudart.so.13", "libcupti.so.13"],
    "linux-aarch64": ["libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcudart.so.13", "libcupti.so.13",
                      "libarm_compute.so", "libarm_compute_graph.so", "libgfortran.so.5",
                      "libnvpl_blas_core.so.0", "libnvpl_blas_lp64_gomp.so.0",
                      "libnvpl_lapack_core.so.0", "libnvpl_lapack_lp64_gomp.so.0"],
    "macos-arm64": ["libtorch_cpu.dylib", "libc10.dylib", "libomp.dylib", "libtorch.dylib"],
}

# Encoders that the tests ask of ffmpeg.
ENCODERS = ["libmp3lame", "libopus", "libvorbis", "aac", "alac", "flac"]


class SetupError(Exception):
    """What went wrong, and what to do about it."""

    def __init__(self, wrong, do):
        super().__init__(wrong)
        self.do = do


def say(text):
    print(f"setup: {text}", file=sys.stderr, flush=True)


def need_space(vendor, needed_mb, what):
    free_mb = shutil.disk_usage(vendor).free // MB
    if free_mb < needed_mb:
        raise SetupError(
            f"{what} needs {needed_mb} MB of free disk while it is put together; {vendor} has {free_mb} MB",
            "free some space there, or choose another folder with --vendor and link vendor to it")


def pip(arguments, what, scratch):
    """Runs pip, again after a failure that may pass. Its stderr is shown as it comes, and its end kept for the message."""
    env = dict(os.environ)
    env.update(
        TMPDIR=scratch,  # pip unpacks here, rather than in a /tmp that may be a small file system in memory
        PIP_BREAK_SYSTEM_PACKAGES="1",  # --target touches no system package; some pips refuse all the same (PEP 668)
        PIP_USER="0",
        PIP_REQUIRE_VIRTUALENV="0",
        PIP_NO_INPUT="1",
        PIP_ROOT_USER_ACTION="ignore",
        PYTHONDONTWRITEBYTECODE="1",
    )
    env.setdefault("PIP_DEFAULT_TIMEOUT", "60")
    env.setdefault("PIP_RETRIES", "5")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", *arguments]
    for attempt in range(1, ATTEMPTS + 1):
        run = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=subprocess.PIPE)
        said, warned = [], []
        try:
            for line in run.stderr:
                text = line.decode(errors="replace")
                sys.stderr.write(text)
                if text.strip():
                    (warned if text.startswith("WARNING") else said).append(text.strip())
            status = run.wait()
        finally:
            if run.poll() is None:
                run.kill()
                run.wait()
        if status == 0:
            return
        # The last warning is where pip puts a refused connection; its errors then only say that it found nothing.
        tail = " | ".join((warned[-1:] + said)[-4:]) or f"exit status {status}"
        everything = "\n".join(said)
        if "DO NOT MATCH THE HASHES" in everything:
            raise SetupError(f"{what}: what came is not what is pinned in scripts/pins (sha256 differs)",
                             "check the mirror or proxy that pip uses (pip config list); do not use what it sent")
        if "No matching distribution" in everything and "from versions: none" not in everything:
            raise SetupError(
                f"{what}: pip found no such wheel for this machine ({tail})",
                "check the mirror that pip uses (pip config list), that pip is 21 or later (python3 -m pip --version), "
                "and that this Python is 3.10 to 3.14")
        if "No space left" in everything:
            raise SetupError(f"{what}: the disk is full", "free some space and run scripts/setup again")
        if attempt < ATTEMPTS:
            say(f"{what}: attempt {attempt} of {ATTEMPTS} failed, trying again")
            time.sleep(3 * attempt)
    raise SetupError(
        f"{what}: pip gave up {ATTEMPTS} times; it last said: {tail}",
        "check the network, the proxy (HTTPS_PROXY) and the mirror (pip config list), then run scripts/setup again: what "
        "arrived whole is kept. On a slow line PIP_DEFAULT_TIMEOUT=600 and a newer pip (25.1 resumes downloads) help; "
        "or bring the wheel named in scripts/pins from another machine and put it into vendor/.download")


def place(made, target):
    """Puts a finished folder where it belongs, in one rename for whoever looks."""
    old = None
    if os.path.lexists(target):
        old = tempfile.mkdtemp(prefix=".old-", dir=os.path.dirname(target))
        os.rename(target, os.path.join(old, "was"))
    os.rename(made, target)
    if old:
        shutil.rmtree(old, ignore_errors=True)


def stamp(folder, name):
    with open(os.path.join(folder, ".setup"), "w", encoding="utf-8") as file:
        file.write(os.environ[name] + "\n")


def answer(command, what):
    """What a fetched tool prints when tried, or an error that says that it does not run here."""
    try:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             check=False)
        out = run.stdout.decode(errors="replace")
        if run.returncode == 0:
            return out
        problem = out.strip().splitlines()[-1] if out.strip() else f"exit status {run.returncode}"
    except OSError as error:
        problem = str(error)
    raise SetupError(f"{what} was fetched and checked, but does not run on this machine: {problem}",
                     "Linux needs glibc 2.28 or later (ldd --version) and libstdc++ (apt install build-essential); "
                     "on another system, please report this")


def fetch_python(vendor, scratch):
    say("fetching cmake, ffmpeg, mutagen and numpy (about 110 MB)")
    need_space(vendor, 700, "vendor/python")
    made = os.path.join(scratch, "python")
    pip(["install", "--quiet", "--target", made, "--no-deps", "--only-binary=:all:", "--no-compile", "--require-hashes",
         "--no-warn-script-location", "-r", os.path.join(PINS, "tools.txt")], "the Python tools (scripts/pins/tools.txt)",
        scratch)

    # pip's launchers carry an absolute path and need PYTHONPATH: the programs themselves are named here instead.
    programs = os.path.join(made, "bin")
    shutil.rmtree(programs, ignore_errors=True)
    os.mkdir(programs)
    ffmpeg = glob.glob(os.path.join(glob.escape(made), "imageio_ffmpeg", "binaries", "ffmpeg-*"))
    if len(ffmpeg) != 1:
        raise SetupError("imageio-ffmpeg brought no ffmpeg for this machine", "please report this, with `uname -a`")
    os.chmod(ffmpeg[0], 0o755)
    os.symlink(os.path.relpath(ffmpeg[0], programs), os.path.join(programs, "ffmpeg"))
    os.symlink("../cmake/data/bin/cmake", os.path.join(programs, "cmake"))
    # numpy fits one Python only: the one it was fetched with, by its real path (a pyenv shim may change its mind).
    interpreter = os.path.realpath(sys.executable)
    os.symlink(interpreter, os.path.join(made, ".interpreter"))
    wrapper = os.path.join(programs, "python3")
    with open(wrapper, "w", encoding="utf-8") as file:
        file.write('#!/bin/sh\n# The Python that these packages were fetched for, seeing them.\n'
                   'here=$(cd "$(dirname "$0")/.." && pwd)\n'
                   'PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} PYTHONDONTWRITEBYTECODE=1 exec "$here/.interpreter" "$@"\n')
    os.chmod(wrapper, 0o755)

    answer([os.path.join(programs, "cmake"), "--version"], "cmake")
    encoders = answer([os.path.join(programs, "ffmpeg"), "-hide_banner", "-encoders"], "ffmpeg")
    missing = [name for name in ENCODERS if not re.search(rf"^ A\S+ +{name} ", encoders, re.MULTILINE)]
    if missing:
        raise SetupError(f"the fetched ffmpeg cannot encode {', '.join(missing)}", "please report this, with `uname -a`")
    answer([wrapper, "-c", "import mutagen, numpy"], "mutagen or numpy")
    stamp(made, "PYTHON_STAMP")
    place(made, os.path.join(vendor, "python"))


def pinned(name):
    """The requirement lines of a pin file whose lines stand alone."""
    with open(os.path.join(PINS, name), encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]


def wheel_tags(platform):
    tags = ["--python-version", "3.11", "--implementation", "cp"]
    for tag in WHEEL_TAGS[platform]:
        tags += ["--platform", tag]
    return tags


def download_wheels(vendor, scratch, platform, pins):
    """One wheel at a time, so that those that arrived are kept when a later one fails. Returns their paths."""
    downloads = os.path.join(vendor, ".download")
    os.makedirs(downloads, exist_ok=True)
    wheels = []
    for line in pinned(pins):
        requirement = line.split()[0]
        say(f"fetching {requirement}")
        wanted = os.path.join(scratch, "wanted.txt")
        with open(wanted, "w", encoding="utf-8") as file:
            file.write(line + "\n")
        pip(["download", "--quiet" if not sys.stderr.isatty() else "--progress-bar=on", "--dest", downloads,
             "--find-links", downloads, "--no-deps", "--only-binary=:all:", "--require-hashes",
             *wheel_tags(platform), "-r", wanted], f"{requirement} (scripts/pins/{pins})", scratch)
        name, version = requirement.split("==")
        found = glob.glob(os.path.join(glob.escape(downloads), f"{name.replace('-', '_')}-{version}-*.whl"))
        if len(found) != 1:
            raise SetupError(f"{downloads} holds {len(found)} wheels for {requirement}, and should hold one",
                             f"remove {downloads} and run scripts/setup again")
        wheels += found
    return wheels


def unpack(wheel, member, path, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with wheel.open(member) as source, open(path, "wb") as sink:
        shutil.copyfileobj(source, sink, MB)
    os.chmod(path, mode)


def fetch_libtorch(vendor, scratch, platform):
    say(f"fetching libtorch {LIBTORCH_VERSION} for {platform} (up to 560 MB; a few minutes on a slow line)")
    need_space(vendor, 1700, "vendor/libtorch")
    wheels = download_wheels(vendor, scratch, platform, f"libtorch-{platform}.txt")
    say("unpacking")
    made = os.path.join(scratch, "libtorch")
    missing = set(LIBRARIES[platform])
    for path in wheels:
        package = os.path.basename(path).split("-")[0]
        with zipfile.ZipFile(path) as wheel:
            for member in wheel.namelist():
                name = member.rsplit("/", 1)[-1]
                if not name or ".." in member.split("/"):
                    continue
                if "/lib/" in member and name in missing:
                    unpack(wheel, member, os.path.join(made, "lib", name), 0o755)
                    missing.discard(name)
                elif member.startswith("torch/include/"):
                    unpack(wheel, member, os.path.join(made, "include", member[len("torch/include/"):]))
                elif ".dist-info/licenses/" in member or re.search(r"\.dist-info/(LICEN[CS]E|NOTICE)", member, re.I):
                    unpack(wheel, member, os.path.join(made, "LICENSES", f"{package}-{name}"))
    if missing:
        raise SetupError(f"the wheels hold no {', '.join(sorted(missing))}", "please report this")
    if platform.startswith("linux"):
        # The wheel's own libtorch.so needs libtorch_cuda.so; for a linker this text does as well.
        with open(os.path.join(made, "lib", "libtorch.so"), "w", encoding="ascii") as file:
            file.write("INPUT(libtorch_cpu.so)\n")
    with open(os.path.join(made, "build-version"), "w", encoding="ascii") as file:
        file.write(LIBTORCH_VERSION + "\n")
    library = os.path.join(made, "lib", LIBRARIES[platform][0])
    answer([sys.executable, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])", library], "libtorch")
    stamp(made, "LIBTORCH_STAMP")
    place(made, os.path.join(vendor, "libtorch"))
    shutil.rmtree(os.path.join(vendor, ".download"), ignore_errors=True)


def fetch_cuda(vendor, scratch, platform):
    say(f"fetching the CUDA build of libtorch {LIBTORCH_VERSION} (3.6 GB on disk)")
    need_space(vendor, 9000, "vendor/libtorch-cuda")
    made = os.path.join(scratch, "libtorch-cuda")
    pins = f"libtorch-cuda-{platform}.txt"
    wheels = download_wheels(vendor, scratch, platform, pins)
    say("unpacking")
    # The whole tree is kept: the libraries find each other by the places they have beside each other in it.
    for path in wheels:
        with zipfile.ZipFile(path) as wheel:
            for member in wheel.infolist():
                name = member.filename
                if member.is_dir() or ".." in name.split("/"):
                    continue
                library = re.match(r"(torch/lib|nvidia/.*/lib)/[^/]*\.so[.0-9]*$", name)
                if library or ".dist-info/licenses/" in name:
                    unpack(wheel, member, os.path.join(made, name), 0o755 if library else 0o644)
    library = os.path.join(made, "torch", "lib", "libtorch_cuda.so")
    answer([sys.executable, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])", library], "the CUDA build of libtorch")
    stamp(made, "CUDA_STAMP")
    place(made, os.path.join(vendor, "libtorch-cuda"))
    shutil.rmtree(os.path.join(vendor, ".download"), ignore_errors=True)


def fetch_musicnn(vendor, scratch):
    say("fetching musicnn, the pretrained network under `deep` (29 MB)")
    need_space(vendor, 200, "vendor/musicnn")
    downloads = os.path.join(scratch, "musicnn-wheel")
    pip(["download", "--quiet", "--dest", downloads, "--no-deps", "--only-binary=:all:", "--require-hashes",
         "-r", os.path.join(PINS, "musicnn.txt")], "musicnn (scripts/pins/musicnn.txt)", scratch)
    made = os.path.join(scratch, "musicnn")
    try:
        musicnn.convert(glob.glob(os.path.join(glob.escape(downloads), "*.whl"))[0], made)
    except (IndexError, KeyError, ValueError) as error:
        raise SetupError(f"the musicnn wheel is not what it was: {error}", "please report this") from error
    stamp(made, "MUSICNN_STAMP")
    place(made, os.path.join(vendor, "musicnn"))


def main():
    vendor, platform, *wanted = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the scratch folder goes as after Ctrl-C
    os.umask(0o022)
    os.makedirs(vendor, exist_ok=True)
    with open(os.path.join(vendor, ".lock"), "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another setup is at work here; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in glob.glob(os.path.join(glob.escape(vendor), ".new-*")) + glob.glob(
                os.path.join(glob.escape(vendor), ".old-*")):
            shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
        scratch = tempfile.mkdtemp(prefix=".new-", dir=vendor)
        try:
            if "python" in wanted:
                fetch_python(vendor, scratch)
            if "musicnn" in wanted:
                fetch_musicnn(vendor, scratch)
            if "libtorch" in wanted:
                fetch_libtorch(vendor, scratch, platform)
            if "cuda" in wanted:
                fetch_cuda(vendor, scratch, platform)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    say(f"{' and '.join(wanted)} ready in {vendor}")


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        say(f"error: {error}")
        say(f"do: {error.do}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; nothing half-made is left, what arrived whole is kept")
        sys.exit(130)
    except OSError as error:
        say(f"error: {error}")
        say("do: check that the vendor folder can be written and the disk is not full, then run scripts/setup again")
        sys.exit(1)
