"""Crops to be judged: of a network's maps, of a plain function, of encoded pictures.

Every kind of cropper gives `Boxes`: one box per picture and judged ratio, in the frame that the observers saw.
Boxes of a network are made by gazecrop.crop.grid and gazecrop.crop.cropping, from 32 levels, as the service makes them.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

from gazecrop.crop.cropping import Cropper, Policy
from gazecrop.crop.cropping import Options as CropOptions
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.placing import Box as ServedBox
from gazecrop.crop.ratios import parse_ratio
from gazecrop.model import Model
from gazecrop.picture.decode import Limits, decode
from gazecrop.pipeline import analyse, limits_of
from gazecrop.settings import read_settings
from model_store.recipe import data, metrics
from model_store.recipe.metrics import Box, Boxes, Pairs

RATIOS = {name: parse_ratio(name) for name in metrics.RATIOS}

# A cropper of pixels: picture uint8 [height, width, 3] RGB and ratio (width / height) -> x, y, width, height in its
# pixels.
Function = Callable[[np.ndarray, float], Sequence[float]]
# A cropper of encoded pictures: the file, and the width and height of the frame that the fixations refer to -> a box
# per ratio in that frame.
FileCropper = Callable[[bytes, tuple[int, int]], dict[str, Box]]


@dataclass(frozen=True)
class Judged:
    """The pictures that croppers are judged on, with what the metrics need of each."""

    gaze: data.Pictures
    chosen: np.ndarray

    @property
    def keys(self) -> list[str]:
        return [self.gaze.about[i]["key"] for i in self.chosen]

    @property
    def points(self) -> list[np.ndarray]:
        return [self.gaze.points[i] for i in self.chosen]

    @property
    def sizes(self) -> list[tuple[int, int]]:
        return self.gaze.sizes(self.chosen)

    @property
    def sets(self) -> np.ndarray:
        return np.array([self.gaze.about[i]["dataset"] for i in self.chosen])

    def files(self) -> list[bytes]:
        """The encoded picture of each, from the shards."""
        wanted = set(self.keys)
        found = {one["key"]: one["jpg"] for one in data.samples("gaze") if one["key"] in wanted}
        return [found[key] for key in self.keys]

    def pairs(self, boxes: Boxes) -> Pairs:
        return metrics.judge(lambda i, name: boxes[i][name], self.sizes, self.points)


def _session(path: Path, threads: int = 1) -> ort.InferenceSession:
    from model_store.recipe.make.export import session  # imports torch, which functions do not need

    return session(path, threads)


def served_map(path: Path) -> Callable[[bytes], np.ndarray]:
    """The map of a file by an ONNX file, float32 [rows, columns], as the service makes it: a long picture gets bars,
    which are cut off again."""
    run = _session(path, 2)
    shape = _shape(run)

    def of(file: bytes) -> np.ndarray:
        thumbnail = decode(file, Limits(), [shape])
        density = run.run(None, {"picture": thumbnail.pixels[None]})[0][0]
        return density[thumbnail.inside.cells(density.shape)]

    return of


def on_grid(maps: Iterable[np.ndarray]) -> np.ndarray:
    """float32 [n, rows, columns]: maps of any size, interpolated to data.GRID; each sums to one."""
    rows, columns = data.GRID
    found = [
        np.asarray(Image.fromarray(m.astype(np.float32)).resize((columns, rows), Image.Resampling.BILINEAR))
        for m in maps
    ]
    return np.stack([m / m.sum() for m in found])


def input_shape(path: Path) -> tuple[int, int]:
    return _shape(_session(path))


def _shape(session: ort.InferenceSession) -> tuple[int, int]:
    _, height, width, _ = session.get_inputs()[0].shape
    return int(height), int(width)


def network_maps(path: Path, pixels: np.ndarray, threads: int = 2) -> np.ndarray:
    """float32 [n, rows, columns]: the maps of an ONNX file, computed two pictures at a time."""
    run = _session(path, threads)
    return np.concatenate(
        [
            run.run(None, {"picture": np.ascontiguousarray(pixels[i : i + 2])})[0]
            for i in range(0, len(pixels), 2)
        ]
    )


def sliding(box: ServedBox, size: tuple[int, int]) -> Box:
    """A box of the service, in a picture of this width and height, as the offset along the axis that it slides on."""
    width, height = size
    return Box(0, width, box.width, box.x) if box.width < width else Box(1, height, box.height, box.y)


def served_boxes(m: np.ndarray, size: tuple[int, int], policy: Policy = "window") -> dict[str, Box]:
    """The boxes that the service would answer for this map, by ratio."""
    cropper = Cropper(SaliencyGrid.from_density(np.asarray(m, np.float64), *size))
    found = {}
    for name in metrics.judged_ratios(*size):
        found[name] = sliding(cropper.crop(RATIOS[name], CropOptions(policy=policy)).box, size)
    return found


def map_boxes(
    maps: Iterable[np.ndarray], sizes: Sequence[tuple[int, int]], policy: Policy = "window"
) -> Boxes:
    return [served_boxes(m, size, policy) for m, size in zip(maps, sizes, strict=True)]


def map_pairs(maps: np.ndarray, judged: Judged) -> Pairs:
    return judged.pairs(map_boxes(maps, judged.sizes))


def function_boxes(function: Function, picture: np.ndarray, size: tuple[int, int]) -> dict[str, Box]:
    """The boxes of a function by ratio, in the observers' frame instead of the file's pixels. A box smaller than the
    largest of its ratio is replaced by the largest one with the same middle."""
    (height, width), found = picture.shape[:2], {}
    for name in metrics.judged_ratios(*size):
        centre = metrics.centre_crop(*size, metrics.RATIOS[name])
        x, y, w, h = function(picture, metrics.RATIOS[name])
        middle = ((x + w / 2) / width, (y + h / 2) / height)[centre.axis]
        # Half a pixel goes to the smaller offset, as in metrics.centre_crop: the centre crop then scores 0, not 0.4.
        offset = math.ceil(middle * centre.side - centre.length / 2 - 0.5 - 1e-6)
        span = centre.side - centre.length
        found[name] = Box(centre.axis, centre.side, centre.length, min(max(offset, 0), span))
    return found


def network_cropper(path: Path) -> FileCropper:
    """Crops by an ONNX file's maps, made as the service makes them."""
    served = served_map(path)
    return lambda file, size: served_boxes(served(file), size)


def served_cropper(policy: Policy) -> FileCropper:
    """Crops as the service makes them: its decoder, the network of the settings with its objects and calibration."""
    settings = read_settings()
    model = Model.load(settings)

    def crop(file: bytes, size: tuple[int, int]) -> dict[str, Box]:
        grid = SaliencyGrid.from_code(analyse(file, model, limits_of(settings)).code)
        cropper = Cropper(replace(grid, width=size[0], height=size[1]), model.calibration)
        return {
            name: sliding(cropper.crop(RATIOS[name], CropOptions(policy=policy)).box, size)
            for name in metrics.judged_ratios(*size)
        }

    return crop


def function_cropper(function: Function) -> FileCropper:
    return lambda file, size: function_boxes(function, read(file), size)


def read(file: bytes) -> np.ndarray:
    """uint8 [height, width, 3] RGB at the file's own size."""
    with Image.open(BytesIO(file)) as image:
        return np.asarray(image.convert("RGB"))
