"""Crops of a folder's pictures as the server computes them: shared by stability, compare, lock and check."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from blake3 import blake3

from gazecrop.audit.material.maps import Maps, key
from gazecrop.audit.material.saliency_models import identity_of
from gazecrop.console.sources import Item
from gazecrop.crop.cropping import Crop, Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.ratios import Ratio
from gazecrop.errors import PictureError
from gazecrop.model import Model
from gazecrop.picture.decode import Limits
from gazecrop.pipeline import analyse

MOVED = 0.05  # of the frame: a visible move
T = TypeVar("T")

Step = Callable[[bool], None]  # called after each picture, with True for an unreadable one


@dataclass(frozen=True, slots=True)
class Move:
    """Centres of one crop before and after, as fractions of the frame."""

    file: str
    ratio: str
    before: tuple[float, float]
    after: tuple[float, float]

    @property
    def distance(self) -> float:
        """The larger of the horizontal and the vertical move, as a fraction of the frame's side."""
        return max(abs(a - b) for a, b in zip(self.before, self.after, strict=True))


@dataclass(frozen=True)
class FolderCrops:
    """The served network with its limits, the wanted crops, and threads. Maps are cached by the hash of the file."""

    model: Model
    limits: Limits
    maps: Maps
    ratios: Sequence[Ratio]
    options: Options = Options()
    threads: int = 1

    @property
    def name(self) -> str:
        return f"{self.model.name} {self.model.precision}"

    def cropper(self, data: bytes) -> Cropper:
        """Raises PictureError."""
        kept = key(b"file 1", identity_of(self.model), blake3(data).digest(16))
        return Cropper(
            self.maps.grid(kept, lambda: SaliencyGrid.from_code(analyse(data, self.model, self.limits).code)),
            self.model.calibration,
        )

    def crops(self, cropper: Cropper) -> dict[str, Crop]:
        """By the text of the ratio."""
        return {ratio.text: cropper.crop(ratio, self.options) for ratio in self.ratios}

    def each(
        self, items: Sequence[Item], work: Callable[[Item], T], step: Step
    ) -> Iterator[tuple[Item, T | None]]:
        """Results of `work` in order, computed in threads; None for a picture that cannot be read."""

        def attempt(item: Item) -> T | None:
            try:
                return work(item)
            except (OSError, PictureError):
                return None

        with ThreadPoolExecutor(self.threads) as pool:
            for item, answer in zip(items, pool.map(attempt, items), strict=True):
                step(answer is None)
                yield item, answer


def centre(crop: Crop, cropper: Cropper) -> tuple[float, float]:
    """In fractions of the frame."""
    grid, box = cropper.grid, crop.box
    return (box.x + box.width / 2) / grid.width, (box.y + box.height / 2) / grid.height
