"""The pictures of a folder and their crops, as a server cuts them: what stability, compare, lock and check share."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from blake3 import blake3

from gazecrop.audit.material.maps import Maps, key
from gazecrop.console.sources import Item
from gazecrop.crop.cropping import Crop, Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.ratios import Ratio
from gazecrop.errors import PictureError
from gazecrop.model import Model
from gazecrop.picture.decode import Limits
from gazecrop.pipeline import analyse

MOVED = 0.05  # of the frame: a move that a person sees
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Move:
    """How far the middle of a crop went: the larger of both axes, as a share of the frame's side."""

    file: str
    ratio: str
    before: tuple[float, float]
    after: tuple[float, float]

    @property
    def far(self) -> float:
        return max(abs(a - b) for a, b in zip(self.before, self.after, strict=True))


@dataclass(frozen=True)
class Eyes:
    """A network, and how it is asked; maps are kept."""

    model: Model
    limits: Limits
    maps: Maps

    def cropper(self, data: bytes) -> Cropper:
        """Raises PictureError."""
        kept = key(b"file 1", self.model.sha256.encode(), blake3(data).digest(16))
        return Cropper(
            self.maps.grid(kept, lambda: SaliencyGrid.from_code(analyse(data, self.model, self.limits).code)),
            self.model.calibration,
        )


def crops(cropper: Cropper, ratios: Sequence[Ratio], options: Options) -> dict[str, Crop]:
    return {ratio.text: cropper.crop(ratio, options) for ratio in ratios}


def middle(crop: Crop, cropper: Cropper) -> tuple[float, float]:
    grid, box = cropper.grid, crop.box
    return (box.x + box.width / 2) / grid.width, (box.y + box.height / 2) / grid.height


def over(
    items: Sequence[Item], work: Callable[[Item], T], threads: int, step: Callable[[bool], None]
) -> Iterator[tuple[Item, T | None]]:
    """`work` of every picture, in order; None for those that cannot be read."""

    def attempt(item: Item) -> T | None:
        try:
            return work(item)
        except (OSError, PictureError):
            return None

    with ThreadPoolExecutor(threads) as pool:
        for item, answer in zip(items, pool.map(attempt, items), strict=True):
            step(answer is None)
            yield item, answer
