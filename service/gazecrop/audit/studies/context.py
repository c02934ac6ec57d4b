"""What the studies of people share: the network, the cache of its maps, the margins around portraits, threads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from PIL import Image

from gazecrop.audit.material.maps import Maps, key
from gazecrop.audit.material.portraits import Person, Portrait, load_portrait
from gazecrop.audit.material.saliency_models import SaliencyModel
from gazecrop.crop.cropping import Cropper
from gazecrop.crop.grid import SaliencyGrid

T = TypeVar("T")
U = TypeVar("U")

Step = Callable[[], None]


def no_step() -> None:
    """The progress of a study that shows none."""


@dataclass(frozen=True, slots=True)
class Context:
    """`room`: by set, the margin around portraits as a fraction of their sides."""

    model: SaliencyModel
    maps: Maps
    room: Mapping[str, float] = field(default_factory=dict)
    threads: int = 2

    def margin(self, person: Person) -> float:
        return self.room.get(person.set, 0.0)

    def margin_key(self, person: Person) -> bytes:
        """Part of the keys of maps."""
        return repr(self.margin(person)).encode()

    def portrait(self, person: Person) -> Portrait:
        """Raises OSError, PictureError."""
        return load_portrait(person, self.margin(person))

    def grid(self, picture: Callable[[], Image.Image], recipe: bytes, *parts: bytes) -> SaliencyGrid:
        """The map of a picture, which is only made if its map is not cached. `recipe`: name and version of the kind of
        picture; `parts`: all else that it depends on."""
        cache_key = key(recipe, self.model.identity, *parts)
        return self.maps.grid(cache_key, lambda: self.model.predict(picture()))

    def cropper(self, picture: Callable[[], Image.Image], recipe: bytes, *parts: bytes) -> Cropper:
        return Cropper(self.grid(picture, recipe, *parts), self.model.calibration)

    def each(self, work: Callable[[T], U], inputs: Sequence[T], step: Step) -> Iterator[U]:
        """Results in the order of the inputs, computed in threads."""
        with ThreadPoolExecutor(self.threads) as pool:
            for found in pool.map(work, inputs):
                step()
                yield found
