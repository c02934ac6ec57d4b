"""What says where people look: the network that serves, any other ONNX file, or a function. All are asked alike."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image

from gazecrop.audit.material.portraits import as_bytes
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.model import Model
from gazecrop.picture.decode import Limits
from gazecrop.pipeline import analyse


@dataclass(frozen=True, slots=True)
class Look:
    """`see`: an RGB picture -> its map; called from several threads. `identity`: changes whenever answers do."""

    name: str
    identity: bytes
    see: Callable[[Image.Image], SaliencyGrid]


def served(model: Model, limits: Limits) -> Look:
    """Exactly what a server answers: decoding, network, quantised grid."""

    def see(picture: Image.Image) -> SaliencyGrid:
        return SaliencyGrid.from_code(analyse(as_bytes(picture), model, limits).code)

    return Look(f"{model.name} {model.precision}", model.sha256.encode(), see)


def of_function(name: str, density: Callable[[NDArray[np.uint8]], NDArray[np.floating]]) -> Look:
    """`density`: uint8[height, width, 3] -> float[rows, columns], non-negative; named by its behaviour."""

    def see(picture: Image.Image) -> SaliencyGrid:
        return SaliencyGrid.from_density(density(np.asarray(picture)), picture.width, picture.height)

    return Look(name, name.encode(), see)


def of_onnx(path: Path, long_side: int) -> Look:
    """A network with the contract of model_store (`picture` uint8[1, h, w, 3] -> `density` [1, rows, columns]), whose
    sides are free: the picture is given with its long side at `long_side`."""
    data = path.read_bytes()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def see(picture: Image.Image) -> SaliencyGrid:
        scale = long_side / max(picture.size)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        pixels = np.asarray(picture.resize(size, Image.Resampling.BICUBIC))
        density = session.run(["density"], {"picture": pixels[None]})[0][0]
        return SaliencyGrid.from_density(density, picture.width, picture.height)

    return Look(path.stem, hashlib.sha256(data).digest() + str(long_side).encode(), see)
