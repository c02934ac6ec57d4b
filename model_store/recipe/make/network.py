"""The student: a backbone and a small decoder, of any widths, so that pruned channels are really removed.

Input uint8 [batch, height, width, 3]; output the log of a density, float32 [batch, height / 8, width / 8], and, if the
student has the layers for it, objects: float32 [batch, 10, height / 8, width / 8], as targets.py describes them.
There are no batch norms, since those of the ImageNet weights are folded into convolutions with biases.
"""

import zlib
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_store.recipe.make.backbones import BODIES, QUARTER, TAPS, Widths

KINDS, CHANNELS = (
    2,
    5,
)  # face, text line; logit of the score, offset in x and y, logarithms of width and height
SELDOM, START = -4.6, 1.0  # the untrained head: a score of 0.01, boxes of 2.7 cells


class Conv(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding, with which the ImageNet weights were trained.

    At stride 2 an even side is padded by one pixel more at its end (right or bottom), an odd one evenly.
    """

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride, dilation = self.kernel_size[0], self.stride[0], self.dilation[0]
        if kernel == 1:
            return super().forward(x)
        if stride == 1:
            edge = dilation * (kernel // 2)
            return F.conv2d(x, self.weight, self.bias, 1, edge, dilation, self.groups)
        # int(): traced arithmetic on shapes would turn the floor division of a negative number into
        # truncation.
        (top, low), (left, right) = (_same(int(n), kernel, stride) for n in x.shape[-2:])
        return F.conv2d(F.pad(x, (left, right, top, low)), self.weight, self.bias, stride, 0, 1, self.groups)


def _same(side: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


class Stem(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = Conv(3, width, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(
            self.conv((x - 127.5) / 127.5)
        )  # in this order: fold.py puts the division into the weights


class Block(nn.Module):
    """expand (1x1) -> depthwise -> project (1x1, linear), added to the input where the shapes allow."""

    def __init__(
        self,
        inputs: int,
        hidden: int,
        outputs: int,
        stride: int,
        *,
        first: bool,
        residual: bool,
        kernel: int = 3,
    ) -> None:
        super().__init__()
        self.expand = None if first else Conv(inputs, hidden, 1)
        self.depthwise = Conv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = Conv(hidden, outputs, 1)
        self.residual = residual
        self.gate = (
            nn.Identity()
        )  # prune.py hooks its output: one mask for the expansion and its depthwise layer
        self.out = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.gate(F.relu6(self.depthwise(y)))
        y = self.out(self.project(y))
        return x + y if self.residual else y


class Separable(nn.Module):
    """depthwise 5x5 -> 1x1, added to the input; `inner` channels between."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.reduce = Conv(width, inner, 1)
        self.depthwise = Conv(inner, inner, 5, groups=inner)
        self.project = Conv(inner, width, 1)
        self.gate = nn.Identity()
        self.out = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.gate(F.relu6(self.depthwise(F.relu6(self.reduce(x)))))
        return x + self.out(self.project(y))


def enlarged(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear, to the size of `like`, by factors that are constants of the exported graph: computing sizes takes the
    runtime longer than resizing."""
    factors = [int(n) / int(m) for n, m in zip(like.shape[-2:], x.shape[-2:], strict=True)]
    return F.interpolate(x, scale_factor=factors, mode="bilinear")


class Decoder(nn.Module):
    """Features at 1/8, 1/16, 1/32 -> `width` channels each, summed and mixed from coarse to fine -> a log density."""

    def __init__(self, inputs: tuple[int, int, int], width: int, inner: tuple[int, ...]) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(Conv(n, width, 1) for n in inputs)
        self.outs = nn.ModuleList(nn.Identity() for _ in inputs)
        self.coarse = Separable(width, inner[0])
        self.middle = Separable(width, inner[1])
        self.fine = Separable(width, inner[2])
        self.head = Conv(width, 1, 1)

    def forward(self, eighth: Tensor, sixteenth: Tensor, thirtysecond: Tensor) -> tuple[Tensor, Tensor]:
        """The log density, and the mixed features at 1/32."""
        a, b, c = (
            out(conv(x))
            for out, conv, x in zip(self.outs, self.lateral, (eighth, sixteenth, thirtysecond), strict=True)
        )
        coarse = self.coarse(c)
        x = self.middle(enlarged(coarse, b) + b)
        x = self.fine(enlarged(x, a) + a)
        rows, columns = (int(n) for n in x.shape[-2:])
        return F.log_softmax(self.head(x).flatten(1), 1).view(-1, rows, columns), coarse


class Detector(nn.Module):
    """Features at 1/4, 1/8, 1/16 and the decoder's at 1/32 -> objects: for each kind a logit, an offset and a size.

    With the features at 1/4, recall of faces of 0.04 to 0.08 on "val" rose from 0.16 to 0.23 at a precision of 0.9 and
    from 0.48 to 0.56 at 0.6, all other layers as they were.
    """

    def __init__(self, inputs: tuple[int, int, int, int], width: int, inner: int) -> None:
        super().__init__()
        self.finest = Conv(inputs[0], width, 2, 2)
        self.lateral = nn.ModuleList(Conv(n, width, 1) for n in inputs[1:])
        self.middle = Separable(width, inner)  # a text line is longer than what 5x5 cells at 1/8 show
        self.mix = Separable(width, inner)
        self.head = Conv(width, KINDS * CHANNELS, 1)
        with torch.no_grad():
            bias = torch.tensor([SELDOM, 0.0, 0.0, START, START]).repeat(KINDS)
            self.middle.project.weight.zero_()
            self.middle.project.bias.zero_()  # type: ignore[union-attr]
            self.finest.weight.zero_()
            self.finest.bias.zero_()  # type: ignore[union-attr]
            self.head.weight.mul_(0.1)
            self.head.bias.copy_(bias)  # type: ignore[union-attr]

    def forward(self, quarter: Tensor, eighth: Tensor, sixteenth: Tensor, coarse: Tensor) -> Tensor:
        a, b, c = (conv(x) for conv, x in zip(self.lateral, (eighth, sixteenth, coarse), strict=True))
        b = self.middle(enlarged(c, b) + b)
        return self.head(self.mix(enlarged(b, a) + a + self.finest(quarter)))


class Student(nn.Module):
    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.widths = w = widths
        self.body = body = BODIES[w.body]
        self.stem = Stem(w.stem)
        blocks, inputs, stream = [], w.stem, -1
        for i, (s, stride, kernel) in enumerate(zip(body.stream, body.stride, body.kernel, strict=True)):
            residual = s == stream
            blocks.append(
                Block(
                    inputs, w.hidden[i], w.streams[s], stride, first=i == 0, residual=residual, kernel=kernel
                )
            )
            inputs, stream = w.streams[s], s
        self.blocks = nn.ModuleList(blocks)
        eighth, sixteenth, thirtysecond = (w.streams[tap] for tap in TAPS)
        self.decoder = Decoder((eighth, sixteenth, thirtysecond), w.decoder, w.inner)
        taps = (w.streams[QUARTER], eighth, sixteenth, w.decoder)
        self.objects = Detector(taps, *w.objects) if w.objects else None

    def lower_id(self) -> str:
        """A checksum of the lower layers' weights: outputs cached with other weights cannot be used."""
        parts = (self.stem, *self.blocks[: self.body.frozen])
        total = sum(float(p.detach().double().abs().sum()) for part in parts for p in part.parameters())
        return f"{zlib.crc32(f'{total:.6f}'.encode()):08x}"

    def lower(self, x: Tensor) -> Tensor:
        """uint8 [n, h, w, 3] -> float features at 1/8: the part that most stages freeze and cache."""
        return self._eighth(self._quarter(x))

    def _quarter(self, x: Tensor) -> Tensor:
        x = self.stem(x.permute(0, 3, 1, 2).float())
        for block in self.blocks[: self.body.quarter]:
            x = block(x)
        return x

    def _eighth(self, x: Tensor) -> Tensor:
        for block in self.blocks[self.body.quarter : self.body.frozen]:
            x = block(x)
        return x

    def upper(self, eighth: Tensor) -> Tensor:
        """Features at 1/8 -> log density."""
        return self._decoded(eighth)[0]

    def _decoded(self, eighth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features at 1/8 -> log density, features at 1/16 and the decoder's at 1/32."""
        x = eighth
        for block in self.blocks[self.body.frozen : self.body.coarse]:
            x = block(x)
        sixteenth = x
        for block in self.blocks[self.body.coarse :]:
            x = block(x)
        log_p, coarse = self.decoder(eighth, sixteenth, x)
        return log_p, sixteenth, coarse

    def forward(self, picture: Tensor) -> Tensor:
        return self.upper(self.lower(picture))

    def both(self, picture: Tensor) -> tuple[Tensor, Tensor | None]:
        """Log density, and objects if the student has the layers for them."""
        quarter = self._quarter(picture)
        eighth = self._eighth(quarter)
        log_p, sixteenth, coarse = self._decoded(eighth)
        return log_p, None if self.objects is None else self.objects(quarter, eighth, sixteenth, coarse)


def with_objects(student: Student, width: int = 48, inner: int = 96) -> Student:
    """The same student with new layers for objects, which are not trained yet."""
    found = Student(replace(student.widths, objects=(width, inner)))
    found.load_state_dict(student.state_dict(), strict=False)
    return found.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def multiply_adds(student: Student, shape: tuple[int, int] = (240, 320)) -> int:
    """Multiply-adds of one picture, all convolutions counted."""
    total, hooks = 0, []

    def count(module: nn.Conv2d, _: Any, output: Tensor) -> None:
        nonlocal total
        total += module.weight.numel() * output.shape[-1] * output.shape[-2]

    for module in student.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(count))
    with torch.no_grad():
        student.both(torch.zeros(1, *shape, 3, dtype=torch.uint8))
    for hook in hooks:
        hook.remove()
    return total
