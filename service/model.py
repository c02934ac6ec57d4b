"""The ONNX Runtime session: file, provider, warm-up, run(batch) -> maps. The only import of onnxruntime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from service.settings import Settings

STORE = Path(__file__).parents[1] / "model_store"

Pixels = NDArray[np.uint8]
Density = NDArray[np.float32]


class ModelError(Exception):
    """The network cannot be loaded, or answers wrongly: the server must not start."""


class Model:
    """A network of model_store, loaded.

    shapes: (height, width) of the inputs it takes, and grids: (rows, columns) of its answers, in parallel.
    symmetry_threshold: a map whose asymmetry (half the sum of |p - mirror of p|) is below counts as symmetric.
    """

    name: str
    file: str
    precision: Literal["fp32", "int8"]
    sha256: str
    provider: str
    shapes: tuple[tuple[int, int], ...]
    grids: tuple[tuple[int, int], ...]
    symmetry_threshold: float
    calibration: dict[str, Any] | None
    max_batch: int

    @classmethod
    def load(cls, settings: Settings, store: Path = STORE) -> Self:
        """Raises `ModelError` with what is wrong and what to do."""
        raise NotImplementedError

    def grid_of(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """(rows, columns) of the answer to an input of this (height, width)."""
        raise NotImplementedError

    def run(self, batch: Pixels) -> Density:
        """uint8[n, height, width, 3] RGB -> float32[n, rows, columns], each summing to 1. Blocks; thread-safe."""
        raise NotImplementedError

    def infer(self, pictures: Sequence[Pixels]) -> Density:
        """The same for pictures of one shape, uint8[height, width, 3] each: what the batcher calls."""
        raise NotImplementedError

    def warm(self) -> None:
        """Runs the known picture through every batch size. Raises `ModelError` when the answer is not the known one."""
        raise NotImplementedError
