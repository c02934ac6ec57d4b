"""The story. An upload: `upload` below, step by step. A crop: `find`, then `crops`. Everything else is detail."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from gazecrop import __version__
from gazecrop.concurrency.batcher import Batcher
from gazecrop.concurrency.flight import Flights
from gazecrop.concurrency.gate import Gate
from gazecrop.crop.confidence import Calibration
from gazecrop.crop.cropping import Crop, Cropper
from gazecrop.crop.focus import Focus
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.params import Wanted
from gazecrop.errors import BadParameters, DeadlinePassed, ImageNotFound, StoreAway
from gazecrop.metrics import Stages
from gazecrop.model import Model
from gazecrop.picture.decode import Limits, Thumbnail, decode
from gazecrop.picture.probe import Header, inspect
from gazecrop.settings import Settings
from gazecrop.store.base import Record
from gazecrop.store.memory import Found, MapCache

# Milliseconds of the event loop for one question. Python takes the interpreter from a thread only after 5, so that
# below it a thread would not let anyone else go first.
CHEAP = 5.0
COSTLY_AT_ONCE, COSTLY_QUEUE = 2, 64  # in threads, and waiting for one


def limits_of(settings: Settings) -> Limits:
    """The limits of one picture, in pixels."""
    return Limits(
        pixels_jpeg=round(settings.max_megapixels_jpeg * 1e6),
        pixels=round(settings.max_megapixels * 1e6),
        scans=settings.max_jpeg_scans,
    )


class Picture:
    """A map as it is held in memory: decoded, made ready for cropping. Immutable; no pixel is kept."""

    BYTES = 40_000  # of a 30x40 grid with its sums, points and spans, measured; what a cache counts for one

    def __init__(self, record: Record, calibration: Calibration | None = None) -> None:
        """`calibration`: of the network that made the map, where it is at hand."""
        self.record = record
        self.cropper = Cropper(SaliencyGrid.from_code(record.code), calibration)
        self._calibration = calibration
        self.answered: tuple[str, str, bytes] | None = None  # the last document: version, query, its bytes

    @cached_property
    def digest(self) -> bytes:
        told = f"{__version__} {self._calibration}"  # answers depend on these, too
        return blake3(self.record.pack() + told.encode()).digest(16)


@dataclass(frozen=True, slots=True)
class Known:
    """A picture as one request sees it. `degraded`: the store could not be asked."""

    id: str
    picture: Picture
    focus: Focus | None
    degraded: bool

    @classmethod
    def of(cls, id: str, found: Found[Picture]) -> "Known":
        return cls(id, found.map, found.focus, found.degraded)

    @property
    def version(self) -> str:
        """Changes with the map, the network, the focus and this software: what answers depend on, and nothing else."""
        seen = self.picture.digest + (self.focus.pack() if self.focus else b"")
        return blake3(seen).hexdigest(5)


class Pipeline:
    """Uploads and crops of one server."""

    def __init__(
        self,
        *,
        model: Model,
        limits: Limits,
        gate: Gate,
        decoders: ThreadPoolExecutor,
        batcher: Batcher[NDArray[np.uint8], NDArray[np.float32]],
        maps: MapCache[Picture],
    ) -> None:
        self._model = model
        self._limits = limits
        self._gate = gate
        self._decoders = decoders
        self._batcher = batcher
        self.maps = maps
        self._flights: Flights[Found[Picture]] = Flights()
        self._costly = Gate(1, COSTLY_QUEUE, COSTLY_AT_ONCE)  # its pixels are not counted: a map has none

    async def upload(
        self, id: str, data: bytes, stages: Stages, deadline: float | None
    ) -> tuple[Known, bool]:
        """The map of a picture: the one that is known, or a new one. The bool: it is new.

        `id`: the keyed hash of `data`. `deadline`: monotonic seconds after which no work is begun any more.
        Raises PictureError, Overloaded, Draining, DeadlinePassed.
        """
        with stages.time("store"):
            found = await self._look_up(id)
        known = found is not None
        while found is None or found.record.model != self._model.name:
            try:
                found, began = await self._flights.run(id, lambda: self._make(id, data, stages, deadline))
                known = known or not began
            except DeadlinePassed:
                if deadline is not None and time.monotonic() >= deadline:
                    raise
                # It was the deadline of whoever began the work; ours is later.
        return Known.of(id, found), not known

    def at_hand(self, id: str) -> Known | None:
        """A map of this very network that can answer at once; None says nothing about others."""
        found = self.maps.peek(id)
        return Known.of(id, found) if found and found.record.model == self._model.name else None

    async def _look_up(self, id: str) -> Found[Picture] | None:
        try:
            return await self.maps.get(id)
        except StoreAway:
            return None  # the picture is here: its map can be made anew

    async def _make(self, id: str, data: bytes, stages: Stages, deadline: float | None) -> Found[Picture]:
        record = await self.analyse(data, stages, deadline)
        with stages.time("store"):
            return await self.maps.put(id, record)

    async def analyse(self, data: bytes, stages: Stages, deadline: float | None) -> Record:
        """bytes -> map, without keeping anything."""
        header = inspect(data, self._model.shapes)
        self._limits.check(header)
        queued = time.perf_counter()
        async with self._gate.slot(header.pixels_to_decode, deadline):
            stages.add("queue", time.perf_counter() - queued)
            thumbnail, density = await asyncio.get_running_loop().run_in_executor(
                self._decoders, self._in_thread, data, header, stages
            )
        if density is None and not thumbnail.flat:
            pixels = thumbnail.pixels
            with stages.time("infer"):
                density = await self._batcher.submit(pixels, key=pixels.shape, deadline=deadline)
        return as_record(thumbnail, density, self._model)

    def _in_thread(
        self, data: bytes, header: Header, stages: Stages
    ) -> tuple[Thumbnail, NDArray[np.float32] | None]:
        """Decodes. Where a batch is one picture, as on a CPU, the network looks at it right here: to go back and into
        another thread costs 0.2 ms."""
        with stages.time("decode"):
            thumbnail = decode(data, self._limits, self._model.shapes, header)
        if thumbnail.flat or self._batcher.max_batch > 1:
            return thumbnail, None
        with stages.time("infer"):
            return thumbnail, self._batcher.run(thumbnail.pixels)

    async def find(self, id: str, stages: Stages) -> Known:
        """The map of a known picture. Raises ImageNotFound; StoreAway when that cannot be known."""
        found = self.maps.peek(id)
        if found is None:
            with stages.time("store"):
                found = await self.maps.get(id)
        if found is None:
            raise ImageNotFound(
                "No map is kept under this id: it never was, or it has gone. Upload the picture again."
            )
        return Known.of(id, found)

    def crops(self, known: Known, wanted: Wanted) -> list[Crop]:
        """The crops of a known picture: from its grid alone, about 30 µs each."""
        focus = (known.focus.x, known.focus.y) if known.focus else None
        if focus is None and wanted.options.policy == "focus":
            raise BadParameters.one(
                "policy", "No person has set a focus for this picture.", fix="Use policy=auto."
            )
        return [known.picture.cropper.crop(ratio, wanted.options, focus) for ratio in wanted.ratios]

    async def crops_aside(self, known: Known, wanted: Wanted) -> list[Crop]:
        """The same, a costly question in a thread: 16 ratios with 25 constraints and 5 candidates take 0.06 to 0.25 s,
        in which the event loop would answer nobody. Raises as `crops`, and Overloaded."""
        if cost(wanted) <= CHEAP:
            return self.crops(known, wanted)
        async with self._costly.slot(0):
            return await asyncio.to_thread(self.crops, known, wanted)


def cost(wanted: Wanted) -> float:
    """About the milliseconds that its crops take, rather too many: fitted to 14 kinds of questions. Every constraint
    may have to be dropped by itself, and with a zoom every further box is a search in two dimensions."""
    options = wanted.options
    each = 0.05 + 0.13 * len(options.constraints)
    each += options.candidates * 0.35 if options.zoom > 1 else (options.candidates - 1) * 0.1
    return len(wanted.ratios) * each


def analyse(data: bytes, model: Model, limits: Limits) -> Record:
    """bytes -> map in plain steps, for whoever needs no server: the command line, the audit, `import gazecrop`."""
    thumbnail = decode(data, limits, model.shapes)
    density = None if thumbnail.flat else model.run(thumbnail.pixels[None])[0]
    return as_record(thumbnail, density, model)


def as_record(thumbnail: Thumbnail, density: NDArray[np.float32] | None, model: Model) -> Record:
    """The network's answer as it is kept; without one (a picture that shows nothing) the uniform map."""
    width, height, rotated = thumbnail.width, thumbnail.height, thumbnail.rotated
    if density is None:
        rows, columns = model.grid_of(thumbnail.pixels.shape[:2])
        grid = SaliencyGrid.uniform(rows, columns, width, height, rotated=rotated)
    else:
        grid = SaliencyGrid.from_density(
            density, width, height, symmetry=model.symmetry_threshold, rotated=rotated
        )
    return Record(model.name, thumbnail.format, grid.code)
