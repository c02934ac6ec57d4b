"""Tiny ONNX networks, written byte by byte: they look at what is red and not blue. (The package onnx is not needed.)

Field numbers are those of onnx.proto3; the wire format is that of Protocol Buffers: key = number << 3 | type.
"""

import hashlib
import json
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FLOAT, UINT8, INT64 = 1, 2, 7  # TensorProto.DataType
SHAPE, GRID = (240, 320), (30, 40)


# Of a network with objects: its fields of the manifest.
SCORING = {kind: {"scale": 1.0, "shift": 0.0, "least": 0.5} for kind in ("face", "text")}
WITH_OBJECTS: dict[str, Any] = {"outputs": ["density", "objects"], "objects": SCORING}


def network(
    *,
    red: float = 1.0,
    floor: float = 1e-6,
    normalised: bool = True,
    objects: bool = False,
    channels: int = 10,
    wide: float = 1.5,
) -> bytes:
    """picture uint8[batch,240,320,3] -> density float32[batch,30,40]: mean of red - blue in every 8x8 pixels.

    `objects`: and float32[batch,channels,30,40]. A face of exp(wide) x exp(1.5) cells where red - blue is above 100, a
    text line of exp(2) x 1 cells where it is below -100; the logit is the hundredth part of what it exceeds 100 by.
    """
    kernel = [weight / 64 for weight in (red, 0.0, -red) for _ in range(64)]
    last = "shares" if normalised else "looks"
    nodes = [
        _node("Cast", ["picture"], "floats", _attribute("to", FLOAT)),
        _node("Transpose", ["floats"], "planes", _attribute("perm", [0, 3, 1, 2])),
        _node("Conv", ["planes", "kernel"], "warmth", _attribute("strides", [8, 8])),
        _node("Relu", ["warmth"], "warm"),
        _node("Add", ["warm", "floor"], "looks"),
        _node("ReduceSum", ["looks", "all"], "sum", _attribute("keepdims", 1)),
        _node("Div", ["looks", "sum"], "shares"),
        _node("Squeeze", [last, "channel"], "density"),
    ]
    tensors = [
        _tensor("kernel", FLOAT, [1, 3, 8, 8], kernel),
        _tensor("floor", FLOAT, [], [floor]),
        _tensor("all", INT64, [3], [1, 2, 3]),
        _tensor("channel", INT64, [1], [1]),
    ]
    if objects:
        nodes.append(_node("Conv", ["planes", "signs", "sizes"], "objects", _attribute("strides", [8, 8])))
        signs = {0: 0.01, 5: -0.01}  # by channel
        looks = [
            weight / 64
            for channel in range(channels)
            for weight in (signs.get(channel, 0.0), 0.0, -signs.get(channel, 0.0))
            for _ in range(64)
        ]
        biases = {0: -1.0, 3: wide, 4: 1.5, 5: -1.0, 8: 2.0}
        tensors.append(_tensor("signs", FLOAT, [channels, 3, 8, 8], looks))
        tensors.append(_tensor("sizes", FLOAT, [channels], [biases.get(i, 0.0) for i in range(channels)]))
    graph = b"".join(_bytes(1, node) for node in nodes) + _bytes(2, b"warm")
    graph += b"".join(_bytes(5, tensor) for tensor in tensors)
    graph += _bytes(11, _value("picture", UINT8, ["batch", *SHAPE, 3]))
    graph += _bytes(12, _value("density", FLOAT, ["batch", *GRID]))
    if objects:
        graph += _bytes(12, _value("objects", FLOAT, ["batch", channels, *GRID]))
    return _int(1, 8) + _bytes(7, graph) + _bytes(8, _int(2, 17))


def picture_with_objects(mirrored: bool = False) -> bytes:
    """A PNG for `network(objects=True)`: grey, 320x240, one red and one blue cell: a face and a text line."""
    picture = np.full((*SHAPE, 3), 128, np.uint8)
    picture[64:72, 232:240] = (250, 120, 10)
    picture[200:208, 80:88] = (10, 120, 250)
    file = BytesIO()
    Image.fromarray(picture[:, ::-1] if mirrored else picture).save(file, "PNG")
    return file.getvalue()


def write_store(folder: Path, files: dict[str, bytes] | None = None, **entry: Any) -> Path:
    """A model_store with one network, `warm`; files: precision -> ONNX. `entry` replaces fields of its entry."""
    described = {}
    for precision, data in (files or {"fp32": network()}).items():
        name = f"warm.{precision}.onnx"
        (folder / name).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        described[precision] = {"file": name, "sha256": digest, "bytes": len(data)}
    fields = {"files": described, "shapes": [SHAPE], "grids": [GRID], "symmetry_threshold": 0.1} | entry
    (folder / "manifest.json").write_text(json.dumps({"default": "warm", "networks": {"warm": fields}}))
    return folder


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _int(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _node(kind: str, inputs: list[str], output: str, *attributes: bytes) -> bytes:
    names = b"".join(_bytes(1, name.encode()) for name in inputs) + _bytes(2, output.encode())
    return names + _bytes(4, kind.encode()) + b"".join(_bytes(5, attribute) for attribute in attributes)


def _attribute(name: str, value: int | list[int]) -> bytes:
    if isinstance(value, int):
        return _bytes(1, name.encode()) + _int(3, value) + _int(20, 2)
    return _bytes(1, name.encode()) + b"".join(_int(8, number) for number in value) + _int(20, 7)


def _tensor(name: str, kind: int, shape: list[int], values: list[Any]) -> bytes:
    raw = struct.pack(f"<{len(values)}{'f' if kind == FLOAT else 'q'}", *values)
    dimensions = b"".join(_int(1, size) for size in shape)
    return dimensions + _int(2, kind) + _bytes(8, name.encode()) + _bytes(9, raw)


def _value(name: str, kind: int, shape: list[int | str]) -> bytes:
    dimensions = b""
    for size in shape:
        dimensions += _bytes(1, _int(1, size) if isinstance(size, int) else _bytes(2, size.encode()))
    tensor = _int(1, kind) + _bytes(2, dimensions)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, tensor))
