"""The groups of feature maps that can only be removed together, the cost of each map, and the removal.

All layers of a group share one mask. A hidden group is an expansion and its depthwise layer; the stem and the first
block's depthwise layer are one, too. A stream is all layers that are added into one residual sum. The decoder's width
is one group, the inside of each of its separable layers another.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from model_store.recipe.make.backbones import BODIES, QUARTER, TAPS, Widths
from model_store.recipe.make.network import CHANNELS, KINDS, Student

# ONNX Runtime's blocked kernels process 16 channels at once and are not used for a depthwise layer of another width, so
# maps are removed in blocks: 16 of a hidden group, 8 of a stream, where padding costs less.
OUTPUTS = KINDS * CHANNELS
STEP = {"hidden": 16, "inner": 16, "stream": 8, "decoder": 16}


def sites(student: Student) -> dict[str, list[nn.Module]]:
    """By group: the modules whose output the mask of the group would multiply."""
    found: dict[str, list[nn.Module]] = {}
    for i, block in enumerate(student.blocks):
        found[f"hidden.{i}"] = [block.gate]
        found.setdefault(f"stream.{student.body.stream[i]}", []).append(block.out)
    decoder = student.decoder
    separable = (decoder.coarse, decoder.middle, decoder.fine)
    for i, part in enumerate(separable):
        found[f"inner.{i}"] = [part.gate]
    found["decoder.0"] = [*decoder.outs, *(part.out for part in separable)]
    return found


def width(widths: Widths, group: str) -> int:
    kind, _, index = group.partition(".")
    return {
        "hidden": widths.hidden,
        "stream": widths.streams,
        "inner": widths.inner,
        "decoder": (widths.decoder,),
    }[kind][int(index)]


def resized(widths: Widths, group: str, size: int) -> Widths:
    kind, _, index = group.partition(".")

    def put(values: tuple[int, ...]) -> tuple[int, ...]:
        return (*values[: int(index)], size, *values[int(index) + 1 :])

    if kind == "hidden":
        return replace(widths, hidden=put(widths.hidden), stem=size if index == "0" else widths.stem)
    if kind == "stream":
        return replace(widths, streams=put(widths.streams))
    return replace(widths, inner=put(widths.inner)) if kind == "inner" else replace(widths, decoder=size)


def cost(w: Widths, shape: tuple[int, int] = (240, 320)) -> int:
    """Multiply-adds of one picture, in closed form (a test compares them with network.multiply_adds)."""
    area = (-(-shape[0] // 2)) * (-(-shape[1] // 2))
    height, across = -(-shape[0] // 2), -(-shape[1] // 2)
    total, inputs, areas = 27 * w.stem * area, w.stem, {}
    body = BODIES[w.body]
    for i, (s, stride, kernel) in enumerate(zip(body.stream, body.stride, body.kernel, strict=True)):
        total += 0 if i == 0 else inputs * w.hidden[i] * height * across
        height, across = -(-height // stride), -(-across // stride)
        total += (kernel * kernel + w.streams[s]) * w.hidden[i] * height * across
        inputs, areas[s] = w.streams[s], height * across
    for stream, inner in zip(TAPS, reversed(w.inner), strict=True):
        total += areas[stream] * (w.streams[stream] * w.decoder + (2 * w.decoder + 25) * inner)
    if w.objects:
        width_, inner = w.objects
        inputs_ = (w.streams[TAPS[0]], w.streams[TAPS[1]], w.decoder)
        total += width_ * sum(areas[tap] * n for tap, n in zip(TAPS, inputs_, strict=True))
        total += (areas[TAPS[0]] + areas[TAPS[1]]) * (2 * width_ + 25) * inner
        total += areas[TAPS[0]] * width_ * (OUTPUTS + 4 * w.streams[QUARTER])
    return total + areas[TAPS[0]] * w.decoder


def sliced(student: Student, keep: dict[str, Tensor]) -> Student:
    """A smaller student with only the kept maps. `keep`: their indices by group; groups not in it stay whole."""
    w = student.widths
    kept = {group: keep.get(group, torch.arange(width(w, group))) for group in sites(student)}
    for group, chosen in kept.items():
        w = resized(w, group, len(chosen))
    small, state, new = Student(w), student.state_dict(), {}

    def cut(name: str, out: Tensor | None, into: Tensor | None) -> None:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        weight = weight if out is None else weight[out]
        new[f"{name}.weight"] = weight if into is None else weight[:, into]
        new[f"{name}.bias"] = bias if out is None else bias[out]

    cut("stem.conv", kept["hidden.0"], None)
    inputs = kept["hidden.0"]
    for i in range(len(student.blocks)):
        hidden, out = kept[f"hidden.{i}"], kept[f"stream.{student.body.stream[i]}"]
        if i:
            cut(f"blocks.{i}.expand", hidden, inputs)
        cut(f"blocks.{i}.depthwise", hidden, None)
        cut(f"blocks.{i}.project", out, hidden)
        inputs = out
    decoder = kept["decoder.0"]
    for i, tap in enumerate(TAPS):
        cut(f"decoder.lateral.{i}", decoder, kept[f"stream.{tap}"])
    for i, part in enumerate(("coarse", "middle", "fine")):
        inner = kept[f"inner.{i}"]
        cut(f"decoder.{part}.reduce", inner, decoder)
        cut(f"decoder.{part}.depthwise", inner, None)
        cut(f"decoder.{part}.project", decoder, inner)
    cut("decoder.head", None, decoder)
    if w.objects:
        cut("objects.finest", None, kept[f"stream.{QUARTER}"])
        for i, into in enumerate((kept[f"stream.{TAPS[0]}"], kept[f"stream.{TAPS[1]}"], decoder)):
            cut(f"objects.lateral.{i}", None, into)
        layers = [
            f"{part}.{layer}" for part in ("middle", "mix") for layer in ("reduce", "depthwise", "project")
        ]
        for name in (*layers, "head"):
            cut(f"objects.{name}", None, None)
    small.load_state_dict(new)
    return small.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
