"""The teacher over DINOv2: tokens of three depths, a small decoder, a learned centre prior."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_store.recipe import data
from model_store.recipe.make import dino

TAPS = (6, 9, 12)  # blocks whose tokens the decoder reads
PRIOR = (9, 12)  # cells of the prior: where people look in every picture has no finer detail
SMALL = (238, 322)  # 17 x 23 patches
COARSE = (168, 224)  # 12 x 16: half of the work


def fast() -> torch.autocast:
    """bfloat16 products on processors that have instructions for them, where they halve a transformer's time. Elsewhere
    they are emulated and slower; bfloat16 convolutions are slower everywhere. Exported graphs are in float32."""
    able = bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    return torch.autocast(
        "cpu", torch.bfloat16, enabled=able and not torch.jit.is_tracing(), cache_enabled=False
    )


class Transformer(nn.Module):
    """uint8 [n, h, w, 3] of any size, scaled to `shape` -> log density float32 [n, rows, columns] of data.GRID."""

    def __init__(self, trunk: dino.Trunk, shape: tuple[int, int] = SMALL) -> None:
        super().__init__()
        self.trunk, self.shape = trunk, shape
        self.reduce = nn.Conv2d(len(TAPS) * dino.WIDTH, 192, 1)
        self.around = nn.Conv2d(192, 192, 3, padding=1, groups=192)
        self.mix = nn.Conv2d(192, 96, 1)
        self.fine = nn.Conv2d(96, 48, 3, padding=1)
        self.head = nn.Conv2d(48, 1, 1)
        self.prior = nn.Parameter(torch.zeros(1, 1, *PRIOR))

    def forward(self, picture: Tensor) -> Tensor:
        x = picture.permute(0, 3, 1, 2).float()
        with fast():
            smooth = self.training and self.shape < SMALL  # exported graphs have no such filter
            features = self.trunk(F.interpolate(x, self.shape, mode="bilinear", antialias=smooth))
        x = F.gelu(self.reduce(torch.cat(features, 1).float()))
        x = F.gelu(self.mix(F.gelu(self.around(x))))
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear")
        x = self.head(F.gelu(self.fine(x)))
        x = F.interpolate(x, data.GRID, mode="bilinear")
        x = x + F.interpolate(self.prior, data.GRID, mode="bicubic")
        return F.log_softmax(x.flatten(1), 1).view(-1, *data.GRID)


def of(shape: tuple[int, int] = SMALL) -> Transformer:
    """A transformer with DINOv2's weights and an untrained decoder."""
    return Transformer(dino.pretrained(TAPS), shape)
