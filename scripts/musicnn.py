"""Turns the checkpoint in the musicnn wheel into safetensors: `musicnn.py WHEEL FOLDER`, with nothing but Python.

The checkpoint is TensorFlow's. Its `.index` is a sorted-string table: blocks of entries whose keys share prefixes, then an
index block, then a footer that says where that is. A value is a protobuf with type, shape, offset and size of a
tensor; the bytes themselves, little-endian floats, lie one after the other in `.data-00000-of-00001`. No block is
compressed in this one. What the optimiser kept (Adam's moments) is left out.
"""

import json
import os
import struct
import sys
import zipfile

MODEL = "musicnn/MSD_musicnn/"
LICENCE = "musicnn-0.1.0.dist-info/LICENSE.md"
MAGIC = bytes.fromhex("57fb808b247547db")
FLOAT = 1
TENSORS, PARAMETERS = 64, 792_079


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def entries(table, offset, size):
    """Keys and values of a block: each key is (bytes shared with the last one, bytes of its own)."""
    if table[offset + size]:
        raise ValueError("a block of its index is compressed")
    restarts = struct.unpack_from("<I", table, offset + size - 4)[0]
    at, end, key = offset, offset + size - 4 - 4 * restarts, b""
    while at < end:
        shared, at = varint(table, at)
        own, at = varint(table, at)
        length, at = varint(table, at)
        key = key[:shared] + table[at:at + own]
        at += own
        yield key, table[at:at + length]
        at += length


def fields(message):
    """A protobuf as {field: [values]}."""
    at, found = 0, {}
    while at < len(message):
        tag, at = varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(message, at)
        elif kind == 2:
            length, at = varint(message, at)
            value, at = message[at:at + length], at + length
        elif kind in (1, 5):
            width = 8 if kind == 1 else 4
            value, at = message[at:at + width], at + width
        else:
            raise ValueError(f"its index has a field of wire type {kind}")
        found.setdefault(tag >> 3, []).append(value)
    return found


def read(table, data):
    """{name: (shape, bytes)} of a checkpoint's float tensors."""
    if table[-8:] != MAGIC:
        raise ValueError("its index is no table of TensorFlow's")
    at = len(table) - 48
    for _ in range(2):
        _, at = varint(table, at)  # the metaindex block: not needed
    offset, at = varint(table, at)
    size, at = varint(table, at)
    tensors = {}
    for _, handle in entries(table, offset, size):
        block_offset, at = varint(handle, 0)
        block_size, _ = varint(handle, at)
        for key, value in entries(table, block_offset, block_size):
            entry = fields(value)
            if not key or entry.get(1) != [FLOAT]:
                continue
            dims = fields(entry[2][0]).get(2, []) if 2 in entry else []
            shape = [fields(dim).get(1, [0])[0] for dim in dims]
            start, length = entry.get(4, [0])[0], entry.get(5, [0])[0]
            count = 1
            for dim in shape:
                count *= dim
            if length != 4 * count or start + length > len(data):
                raise ValueError(f"its tensor {key.decode(errors='replace')} is not whole")
            tensors[key.decode()] = (shape, data[start:start + length])
    return tensors


def safetensors(tensors, metadata):
    """The bytes of a safetensors file: length and JSON of the header, then the tensors."""
    header, body, at = {"__metadata__": metadata}, [], 0
    for name, (shape, values) in sorted(tensors.items()):
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(values)]}
        body.append(values)
        at += len(values)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(body)


def convert(wheel_path, folder):
    """Writes FOLDER/musicnn.safetensors and the licence beside it."""
    with zipfile.ZipFile(wheel_path) as wheel:
        everything = read(wheel.read(MODEL + ".index"), wheel.read(MODEL + ".data-00000-of-00001"))
        licence = wheel.read(LICENCE)
    tensors = {name: t for name, t in everything.items() if t[0] and "Adam" not in name}
    count = sum(len(values) // 4 for _, values in tensors.values())
    if len(tensors) != TENSORS or count != PARAMETERS:
        raise ValueError(f"it holds {len(tensors)} tensors with {count} values; {TENSORS} with {PARAMETERS} were expected")
    os.makedirs(folder, exist_ok=True)
    metadata = {"from": "musicnn 0.1.0, MSD_musicnn", "licence": "ISC"}
    with open(os.path.join(folder, "musicnn.safetensors"), "wb") as file:
        file.write(safetensors(tensors, metadata))
    with open(os.path.join(folder, "LICENSE.md"), "wb") as file:
        file.write(licence)


if __name__ == "__main__":
    convert(sys.argv[1], sys.argv[2])
