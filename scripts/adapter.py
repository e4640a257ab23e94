"""Fits the adapter of `deep`: from our 128 bands to the 96 that musicnn was trained behind.

    vendor/python/bin/python3 scripts/adapter.py DATA ears/assets/adapter.safetensors

The same clips are heard twice: as our mel (DATA/gtzan-mel.safetensors) and, from their audio (DATA/gtzan-audio), as
musicnn's own (16 kHz, n_fft 512, hop 256, 96 Slaney bands, log10(10000 x + 1)). A ridge regression maps one to the other,
column by column. It sees no genre. Needs numpy and ffmpeg, which scripts/setup fetches.
"""

import glob
import json
import os
import struct
import subprocess
import sys

import numpy as np

RATE, N_FFT, HOP, BANDS = 16000, 512, 256, 96
OUR_RATE, OUR_HOP, COLUMNS = 22050, 512, 387
RIDGE = 1.0


def mel_filters():
    """Slaney's mel scale (linear below 1 kHz, logarithmic above), triangles of equal area, 0 to 8 kHz."""
    def to_mel(hz):
        return np.where(hz < 1000, hz * 3 / 200, 15 + np.log(np.maximum(hz, 1e-9) / 1000) * 27 / np.log(6.4))

    def to_hz(mel):
        return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))

    edges = to_hz(np.linspace(0, to_mel(np.array(RATE / 2.0)), BANDS + 2))
    bins = np.arange(N_FFT // 2 + 1) * RATE / N_FFT
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]


def their_mel(path, ffmpeg, filters):
    """log10(10000 x + 1) of a file's mel, frames x bands."""
    raw = subprocess.run([ffmpeg, "-loglevel", "error", "-i", path, "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"],
                         stdout=subprocess.PIPE, check=True).stdout
    y = np.pad(np.frombuffer(raw, "<f4"), N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(y, N_FFT)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    return np.log10(10000 * power @ filters.T + 1)


def read(path):
    """Tensors (u8) and metadata of a safetensors file."""
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))
        body = file.read()
    metadata = header.pop("__metadata__")
    return {name: np.frombuffer(body[t["data_offsets"][0]:t["data_offsets"][1]], np.uint8).reshape(t["shape"])
            for name, t in header.items() if t["dtype"] == "U8"}, metadata


def main(data, out):
    ffmpeg = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vendor", "python", "bin", "ffmpeg")
    tensors, metadata = read(os.path.join(data, "gtzan-mel.safetensors"))
    rows = {track: i for i, track in enumerate(json.loads(metadata["tracks"]))}
    filters = mel_filters()
    # When a column was heard, in frames of theirs: the mel's own description has the formula.
    ours = np.round(3.3366 * np.arange(COLUMNS) + 1.206)
    places = ours * OUR_HOP / OUR_RATE * RATE / HOP
    square, product, clips = np.zeros((129, 129)), np.zeros((129, BANDS)), 0
    for path in sorted(glob.glob(os.path.join(glob.escape(data), "gtzan-audio", "*", "*.ogg"))):
        row = rows.get(os.path.basename(path)[:-4])
        if row is None:
            continue
        theirs = their_mel(path, ffmpeg, filters)
        known = places < len(theirs) - 1
        low = places[known].astype(int)
        part = (places[known] - low)[:, None]
        wanted = theirs[low] * (1 - part) + theirs[low + 1] * part
        given = np.c_[tensors["mel"][row].T[known] / 255.0, np.ones(known.sum())]
        square += given.T @ given
        product += given.T @ wanted
        clips += 1
    penalty = RIDGE * np.diag(np.r_[np.ones(128), 0])
    found = np.linalg.solve(square + penalty, product).astype("<f4")
    arrays = {"bias": np.ascontiguousarray(found[128]), "weight": np.ascontiguousarray(found[:128].T)}
    header, body = {"__metadata__": {"clips": str(clips), "made_by": "scripts/adapter.py"}}, b""
    for name, values in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(body), len(body) + values.nbytes]}
        body += values.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(out, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)
    print(f"{clips} clips, {arrays['weight'].shape}")


if __name__ == "__main__":
    main(*sys.argv[1:])
