#!/usr/bin/env python3
"""Makes mel.safetensors, what librosa 0.11 computes of signals that the tests compute again by formula.

In a throw-away environment: pip install librosa==0.11.0 safetensors && python make.py
The signal is defined by `signal` here and by its twin in ../golden.rs; change both or neither.
"""

import pathlib

import librosa
import numpy as np
from safetensors.numpy import save_file

HOP, N_FFT = 512, 2048


def noise(n):
    """White noise in -1..1 by hashing the sample's number."""
    h = np.arange(n, dtype=np.uint32)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return h.astype(np.float64) / 2.0**31 - 1.0


def signal(rate, seconds):
    """Chords that change twice a second, a sweep, and noise in bursts: every band is reached."""
    n = round(rate * seconds)
    t = np.arange(n) / rate
    beat = np.floor(t * 2.0)
    base = 110.0 * 2.0 ** ((beat * 5.0 % 12.0) / 12.0)
    out = 0.1 * np.sin(2 * np.pi * (40.0 * t + 150.0 * t * t))
    for k in range(1, 9):
        out += 0.25 / k * np.sin(2 * np.pi * base * k * t)
    burst = np.exp(-8.0 * (t * 4.0 % 1.0))
    return (out + (0.01 + 0.2 * burst) * noise(n)).astype(np.float32)


def rests(y, rate):
    """Half a second of silence in every ten: like most recordings, it reaches the floor of 80 dB somewhere."""
    t = np.arange(len(y)) / rate
    return np.where((t % 10.0 >= 7.0) & (t % 10.0 < 7.5), np.float32(0.0), y)


def energies(y, rate, bands):
    return librosa.feature.melspectrogram(y=y, sr=rate, n_fft=N_FFT, hop_length=HOP, n_mels=bands)


def paper(y, bands):
    """Rows are frames."""
    return np.ascontiguousarray(librosa.power_to_db(energies(y, 16000, bands), ref=1.0, amin=1e-10, top_db=80.0).T)


def cuts(y):
    """As the training data was made: one frame in 3.3366, dB under the maximum, least to greatest as 0..1."""
    mel = energies(y, 22050, 128)
    db = librosa.power_to_db(mel, ref=np.max, amin=1e-10, top_db=80.0)
    columns = np.round(3.3366 * np.arange(387) + 1.206).astype(int)
    least, greatest = db.min(), db.max()
    db = db[:, columns[columns < db.shape[1]]]
    return np.ascontiguousarray(((db - least) / (greatest - least)).T)


def resample(y, rate_in, rate_out):
    return librosa.resample(y, orig_sr=rate_in, target_sr=rate_out, res_type="soxr_hq")


def resampled(rate_in, rate_out, seconds):
    return resample(signal(rate_in, seconds), rate_in, rate_out)


arrays = {
    "paper128": paper(signal(16000, 4), 128),
    "paper256": paper(signal(16000, 4), 256)[::4].copy(),
    "paper128_from_44100": paper(resampled(44100, 16000, 4), 128),
    "paper128_from_48000": paper(resampled(48000, 16000, 4), 128),
    "paper128_from_22050": paper(resampled(22050, 16000, 4), 128),
}
for rate in (22050, 44100, 48000):
    y = rests(signal(rate, 30), rate)
    arrays[f"cuts_from_{rate}"] = cuts(y if rate == 22050 else resample(y, rate, 22050))[::4].copy()
arrays["resampled_44100_22050"] = resampled(44100, 22050, 1)

here = pathlib.Path(__file__).parent
save_file(
    {k: v.astype(np.float32) for k, v in arrays.items()},
    here / "mel.safetensors",
    metadata={"librosa": librosa.__version__, "numpy": np.__version__},
)
for name, values in arrays.items():
    print(name, values.shape, float(values.min()), float(values.max()))
