"""The shape of a student: the layers of its backbone, and the channels that pruning can remove. No torch."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Body:
    """A backbone of inverted residual blocks.

    `stream`, `stride` and `kernel` have one entry per block: the residual stream that the block adds to, its stride and
    its kernel. `streams` has the channels of each stream, unpruned. The first `quarter` blocks end at 1/4 of the
    picture's size, the first `frozen` ones at 1/8, the blocks before `coarse` at 1/16.
    """

    stream: tuple[int, ...]
    stride: tuple[int, ...]
    kernel: tuple[int, ...]
    streams: tuple[int, ...]
    quarter: int
    frozen: int
    coarse: int

    @classmethod
    def of(cls, *stages: tuple[int, int, int, int]) -> "Body":
        """From stages of (channels, blocks, kernel, stride)."""
        blocks = [
            (s, stride if k == 0 else 1, kernel)
            for s, (_, n, kernel, stride) in enumerate(stages)
            for k in range(n)
        ]
        stream, stride, kernel = zip(*blocks, strict=True)
        reductions = [i for i, one in enumerate(stride) if one == 2]  # to 1/4, 1/8, 1/16, 1/32
        return cls(stream, stride, kernel, tuple(one[0] for one in stages), *reductions[1:])


# MobileNetV2 (Sandler et al. 2018), and EfficientNet-Lite (Tan and Le 2019, arXiv 1905.11946, without
# squeeze-and-excitation and with ReLU6). The latter has the same stages, but wider, deeper, and some with 5x5 kernels.
BODIES = {
    "mobilenet": Body.of(
        (16, 1, 3, 1),
        (24, 2, 3, 2),
        (32, 3, 3, 2),
        (64, 4, 3, 2),
        (96, 3, 3, 1),
        (160, 3, 3, 2),
        (320, 1, 3, 1),
    ),
    "lite0": Body.of(
        (16, 1, 3, 1),
        (24, 2, 3, 2),
        (40, 2, 5, 2),
        (80, 3, 3, 2),
        (112, 3, 5, 1),
        (192, 4, 5, 2),
        (320, 1, 3, 1),
    ),
    "lite2": Body.of(
        (16, 1, 3, 1),
        (24, 3, 3, 2),
        (48, 3, 5, 2),
        (88, 4, 3, 2),
        (120, 4, 5, 1),
        (208, 5, 5, 2),
        (352, 1, 3, 1),
    ),
}
STEM, EXPANSION = 32, 6
QUARTER = 1  # the stream that ends at 1/4
TAPS = (2, 4, 6)  # the streams that the decoder reads, at 1/8, 1/16 and 1/32


@dataclass(frozen=True)
class Widths:
    """Channels of all that can be pruned: the stem, the streams, the inside of each block, the decoder, its layers.
    `objects`: of the second output's layers, which are not pruned; empty for a network without it."""

    stem: int
    streams: tuple[int, ...]
    hidden: tuple[int, ...]
    decoder: int = 96
    inner: tuple[int, ...] = (96, 96, 96)
    body: str = "mobilenet"
    objects: tuple[int, ...] = ()  # width, inside

    @classmethod
    def of(cls, body: str) -> "Widths":
        """Unpruned."""
        its = BODIES[body]
        inputs = [STEM, *(its.streams[s] for s in its.stream)]
        hidden = [n * (EXPANSION if i else 1) for i, n in enumerate(inputs[:-1])]
        return cls(STEM, its.streams, tuple(hidden), body=body)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Widths":
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
        return cls(**values)
