"""A student from an exported file, for use without its checkpoint: the file has all weights and their names.

python -m model_store.recipe.make.shipped --name=gaze-1      # writes gaze-1.pt, from which distil.py can start
"""

from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from model_store.recipe import data
from model_store.recipe.make.backbones import BODIES, Widths
from model_store.recipe.make.network import Student
from model_store.recipe.make.plain import save
from model_store.recipe.options import STORE, parse

DIVISOR = 127.5  # of the pixels; fold.py folded it into the stem's weights
DIVIDED = ".divided"


@dataclass(frozen=True)
class Options:
    name: str = "gaze-1"
    body: str = "lite0"
    smoke: bool = False


def weights(path: Path) -> dict[str, Tensor]:
    """The weights of an fp32 file, by their names in Student."""
    found = {}
    for each in onnx.load(str(path)).graph.initializer:
        if each.name.startswith("student."):
            value = torch.from_numpy(numpy_helper.to_array(each).copy())
            name = each.name.removeprefix("student.")
            found[name.removesuffix(DIVIDED)] = value * DIVISOR if name.endswith(DIVIDED) else value
    return found


def widths(state: dict[str, Tensor], body: str) -> Widths:
    """The widths that pruning left, from the shapes of the weights."""

    def channels(name: str) -> int:
        return len(state[f"{name}.weight"])

    streams = dict(enumerate(BODIES[body].stream))
    its = {stream: channels(f"blocks.{i}.project") for i, stream in streams.items()}
    detects = "objects.head.weight" in state
    inner = (channels(f"decoder.{part}.depthwise") for part in ("coarse", "middle", "fine"))
    return Widths(
        stem=channels("stem.conv"),
        streams=tuple(its[stream] for stream in sorted(its)),
        hidden=tuple(channels(f"blocks.{i}.depthwise") for i in streams),
        decoder=channels("decoder.lateral.0"),
        inner=tuple(inner),
        body=body,
        objects=(channels("objects.mix.project"), channels("objects.mix.reduce")) if detects else (),
    )


def student(path: Path, body: str = "lite0") -> Student:
    """The student of an fp32 file."""
    state = weights(path)
    found = Student(widths(state, body))
    found.load_state_dict(state)
    return found.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


def main(options: Options) -> None:
    path = data.folder(options.smoke) / f"{options.name}.pt"
    if not path.exists():
        save(student(STORE / f"{options.name}.onnx", options.body), path, {})


if __name__ == "__main__":
    main(parse(Options))
