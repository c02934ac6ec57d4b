"""The teachers: networks of three kinds over ImageNet features of two backbones, at a larger input than the student's.

Input: what Student.lower computes from a picture of data.LARGE (features at 1/8; for Pyramid also those of the picture
at half size). Output: a log density on the student's grid. Sizes are such that two cores train a teacher in minutes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_store.recipe.make.backbones import TAPS
from model_store.recipe.make.network import Conv, Student

WIDTH = 96


def dense(inputs: int, outputs: int, kernel: int = 3, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(Conv(inputs, outputs, kernel, dilation=dilation), nn.ReLU())


def normalised(logits: Tensor) -> Tensor:
    return F.log_softmax(logits.flatten(1), 1).view(logits.shape[0], *logits.shape[-2:])


class Features(nn.Module):
    """The backbone's blocks after 1/8. `dilated`: the last stage stays at 1/16, with dilated kernels."""

    def __init__(self, backbone: Student, *, dilated: bool) -> None:
        super().__init__()
        body = backbone.body
        self.blocks = backbone.blocks[body.frozen :]
        self.coarse = body.coarse - body.frozen  # the first block at 1/32
        if dilated:
            for i, block in enumerate(self.blocks[self.coarse :]):
                block.depthwise.stride = (1, 1)
                block.depthwise.dilation = (2, 2) if i else (1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for block in self.blocks[: self.coarse]:
            x = block(x)
        sixteenth = x
        for block in self.blocks[self.coarse :]:
            x = block(x)
        return sixteenth, x


def joined(fine: Tensor, coarse: Tensor) -> Tensor:
    """Both feature maps concatenated, at the finer size."""
    if coarse.shape[-2:] != fine.shape[-2:]:
        coarse = F.interpolate(coarse, fine.shape[-2:], mode="bilinear")
    return torch.cat([fine, coarse], 1)


class Contextual(nn.Module):
    """After MSI-Net (Kroner et al. 2020): dilated features of two depths, ASPP (1x1, three dilations, the mean over the
    picture), a decoder of upsampling and 3x3 convolutions."""

    def __init__(self, backbone: Student, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.features = Features(backbone, dilated=backbone.widths.body == "mobilenet")  # too slow otherwise
        eighth, sixteenth, last = (backbone.widths.streams[tap] for tap in TAPS)
        self.reduce = dense(sixteenth + last, WIDTH, 1)
        self.branches = nn.ModuleList([dense(WIDTH, 64, 1), *(dense(WIDTH, 64, 3, d) for d in (2, 4, 8))])
        self.whole = dense(WIDTH, 64, 1)
        self.mix = dense(5 * 64, WIDTH, 1)
        self.skip = dense(eighth, 32, 1)
        self.decode = nn.Sequential(dense(WIDTH + 32, 48), dense(48, 32))
        self.head = Conv(32, 1, 1)

    def forward(self, eighth: Tensor) -> Tensor:
        x = self.reduce(joined(*self.features(eighth)))
        whole = self.whole(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        x = self.mix(torch.cat([*(branch(x) for branch in self.branches), whole], 1))
        x = F.interpolate(x, self.grid, mode="bilinear")
        skip = F.interpolate(self.skip(eighth), self.grid, mode="bilinear")
        return normalised(self.head(self.decode(torch.cat([x, skip], 1)))[:, 0])


class Attentive(nn.Module):
    """After SAM (Cornia et al. 2018): dilated features, a convolutional LSTM that attends to another part of them at
    each of three steps, then learned Gaussian priors, which are added as channels twice."""

    def __init__(self, backbone: Student, grid: tuple[int, int], width: int = 64, steps: int = 3) -> None:
        super().__init__()
        self.grid, self.steps, self.width = grid, steps, width
        self.features = Features(backbone, dilated=backbone.widths.body == "mobilenet")  # too slow otherwise
        eighth, sixteenth, last = (backbone.widths.streams[tap] for tap in TAPS)
        self.reduce = dense(sixteenth + last, width, 1)
        self.attend_x, self.attend_h, self.attend = (
            Conv(width, width, 3),
            Conv(width, width, 3),
            Conv(width, 1, 3),
        )
        self.gates_x, self.gates_h = Conv(width, 4 * width, 3), Conv(width, 4 * width, 3)
        priors = torch.tensor(
            [
                [x, y, sx, sy]
                for x, y in ((0.5, 0.5), (0.5, 0.4), (0.35, 0.5), (0.65, 0.5))
                for sx, sy in ((0.15, 0.15), (0.3, 0.25))
            ]
        )
        self.priors = nn.ParameterList([nn.Parameter(priors.clone()), nn.Parameter(priors.clone())])
        self.join = nn.ModuleList(
            [dense(width + len(priors), width, 5), dense(width + len(priors), width, 5)]
        )
        self.skip = dense(eighth, 16, 1)
        self.fine = dense(width + 16, 32)
        self.head = Conv(32, 1, 1)

    def gaussians(self, which: int, x: Tensor) -> Tensor:
        rows, columns = x.shape[-2:]
        at_x = (torch.arange(columns, device=x.device) + 0.5) / columns
        at_y = (torch.arange(rows, device=x.device) + 0.5) / rows
        p = self.priors[which][:, :, None]
        across = torch.exp(-0.5 * ((at_x - p[:, 0]) / p[:, 2].clamp(0.03, 1.0)) ** 2)
        down = torch.exp(-0.5 * ((at_y - p[:, 1]) / p[:, 3].clamp(0.03, 1.0)) ** 2)
        return (down[:, :, None] * across[:, None, :])[None].expand(x.shape[0], -1, -1, -1)

    def forward(self, eighth: Tensor) -> Tensor:
        x = self.reduce(joined(*self.features(eighth)))
        hidden = memory = torch.zeros_like(x)
        from_x = self.attend_x(x)
        for _ in range(self.steps):
            energy = self.attend(torch.tanh(from_x + self.attend_h(hidden)))
            weight = energy.flatten(1).softmax(1).view_as(energy) * energy[0].numel()
            gates = self.gates_x(x * weight.clamp(max=20.0)) + self.gates_h(hidden)
            take, forget, give, new = gates.chunk(4, 1)
            memory = forget.sigmoid() * memory + take.sigmoid() * new.tanh()
            hidden = give.sigmoid() * memory.tanh()
        x = x + hidden
        for i, join in enumerate(self.join):
            x = join(torch.cat([x, self.gaussians(i, x)], 1))
        x = F.interpolate(x, self.grid, mode="bilinear")
        skip = F.interpolate(self.skip(eighth), self.grid, mode="bilinear")
        return normalised(self.head(self.fine(torch.cat([x, skip], 1)))[:, 0])


class Pyramid(nn.Module):
    """Several scales: the backbone runs on the picture and on the picture at half size; the features of both, 1/64 to
    1/8, are joined from coarse to fine."""

    def __init__(self, backbone: Student, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.features = Features(backbone, dilated=False)
        # Coarse to fine: 1/64; 1/32 of both scales; 1/16 of three sources; 1/8.
        eighth, sixteenth, last = (backbone.widths.streams[tap] for tap in TAPS)
        self.lateral = nn.ModuleList(
            Conv(n, WIDTH, 1) for n in (last, last + sixteenth, sixteenth + eighth, eighth)
        )
        self.mix = nn.ModuleList(
            nn.Sequential(Conv(WIDTH, WIDTH, 5, groups=WIDTH), Conv(WIDTH, WIDTH, 1), nn.ReLU())
            for _ in range(3)
        )
        self.fine = nn.Sequential(dense(WIDTH, 48), dense(48, 32))
        self.head = Conv(32, 1, 1)

    def forward(self, eighth: Tensor, half: Tensor) -> Tensor:
        sixteenth, thirtysecond = self.features(eighth)
        half_thirtysecond, half_sixtyfourth = self.features(half)
        levels = (
            half_sixtyfourth,
            torch.cat([thirtysecond, half_thirtysecond], 1),
            torch.cat([sixteenth, half], 1),
            eighth,
        )
        x = self.lateral[0](levels[0])
        for lateral, mix, level in zip(self.lateral[1:], self.mix, levels[1:], strict=True):
            x = F.interpolate(x + mix(x), level.shape[-2:], mode="bilinear") + lateral(level)
        return normalised(self.head(self.fine(F.interpolate(x, self.grid, mode="bilinear")))[:, 0])


# Name of a teacher -> its network and the body of its backbone.
KINDS: dict[str, tuple[type[Contextual] | type[Attentive] | type[Pyramid], str]] = {
    "contextual": (Contextual, "mobilenet"),
    "attentive": (Attentive, "mobilenet"),
    "pyramid": (Pyramid, "mobilenet"),
    "contextual-lite": (Contextual, "lite2"),
    "attentive-lite": (Attentive, "lite2"),
}
# The teachers of the shipped gaze-1. The transformers of finetune.py are for the next student: until it ships, their
# maps are made by `make.maps --members=dino,dino-b`.
ENSEMBLE = ("contextual-lite", "attentive-lite")
