"""One interface to everything that predicts saliency: the served network, another ONNX file, or a function."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image

from gazecrop.audit.material.portraits import as_bytes
from gazecrop.crop.confidence import Calibration
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.model import Model
from gazecrop.picture.decode import Limits
from gazecrop.pipeline import analyse


@dataclass(frozen=True, slots=True)
class SaliencyModel:
    """`predict`: RGB picture -> saliency map; thread-safe. `identity`: part of the cache keys, so that it must change
    whenever predictions do. `calibration`: with the weights of policy `balanced`; None: their defaults. `objects`: the
    network has the second output, so that maps may have objects."""

    name: str
    identity: bytes
    predict: Callable[[Image.Image], SaliencyGrid]
    calibration: Calibration | None = None
    objects: bool = False


def identity_of(model: Model) -> bytes:
    """Of a served network: its file, and the values of the manifest that maps depend on. The scoring decides which
    objects a map has."""
    scoring = model.scoring and sorted(model.scoring.items())
    return repr((model.sha256, model.symmetry_threshold, scoring)).encode()


def from_served(model: Model, limits: Limits) -> SaliencyModel:
    """The server's own result: its decoding, network, quantised grid and objects."""

    def predict(picture: Image.Image) -> SaliencyGrid:
        return SaliencyGrid.from_code(analyse(as_bytes(picture), model, limits).code)

    name = f"{model.name} {model.precision}"
    return SaliencyModel(name, identity_of(model), predict, model.calibration, model.scoring is not None)


def from_function(name: str, density: Callable[[NDArray[np.uint8]], NDArray[np.floating]]) -> SaliencyModel:
    """`density`: uint8[height, width, 3] -> float[rows, columns], non-negative. The name is its identity."""

    def predict(picture: Image.Image) -> SaliencyGrid:
        return SaliencyGrid.from_density(density(np.asarray(picture)), picture.width, picture.height)

    return SaliencyModel(name, name.encode(), predict)


def from_onnx(path: Path, long_side: int) -> SaliencyModel:
    """A network with the interface of model_store (`picture` uint8[1, h, w, 3] -> `density` [1, rows, columns]) and
    dynamic height and width: pictures are scaled so that their long side is `long_side`."""
    data = path.read_bytes()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def predict(picture: Image.Image) -> SaliencyGrid:
        scale = long_side / max(picture.size)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        pixels = np.asarray(picture.resize(size, Image.Resampling.BICUBIC))
        density = session.run(["density"], {"picture": pixels[None]})[0][0]
        return SaliencyGrid.from_density(density, picture.width, picture.height)

    return SaliencyModel(path.stem, hashlib.sha256(data).digest() + str(long_side).encode(), predict)
