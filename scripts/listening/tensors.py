"""safetensors files, and the few formulas that the ears and the listener share."""

import json
import struct
from pathlib import Path

import numpy as np

KINDS = {"U8": np.uint8, "I8": np.int8, "F16": np.float16, "F32": np.float32, "U32": np.uint32}
NAMES = {np.dtype(kind): name for name, kind in KINDS.items()}


def load(path):
    """The tensors and the metadata of a safetensors file."""
    raw = Path(path).read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, of in header.items():
        count = int(np.prod(of["shape"]))
        start = 8 + size + of["data_offsets"][0]
        tensors[name] = np.frombuffer(raw, KINDS[of["dtype"]], count, start).reshape(of["shape"])
    return tensors, metadata


def save(path, tensors, metadata=None):
    """Write a safetensors file."""
    header, blobs, at = {"__metadata__": metadata or {}}, [], 0
    for name, values in tensors.items():
        raw = np.ascontiguousarray(values).tobytes()
        header[name] = {"dtype": NAMES[values.dtype], "shape": list(values.shape), "data_offsets": [at, at + len(raw)]}
        blobs.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def quantise(rows):
    """As the ears keep embeddings: a byte a value, a scale a row."""
    scale = np.abs(rows).max(1) / 127
    scale[scale == 0] = 1
    return np.round(rows / scale[:, None]).clip(-127, 127).astype(np.int8), scale.astype(np.float32)
