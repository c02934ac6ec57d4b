"""The two main paths. An upload is `upload` below, step by step. A crop is `find`, then `crops`."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from gazecrop import __version__
from gazecrop.concurrency.batcher import Batcher
from gazecrop.concurrency.flight import Flights
from gazecrop.concurrency.gate import Gate
from gazecrop.crop import answers
from gazecrop.crop.confidence import Calibration
from gazecrop.crop.cropping import Crop, Cropper
from gazecrop.crop.detection import merged
from gazecrop.crop.focus import Focus, Profiles, of_profile
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.params import Wanted
from gazecrop.errors import BadParameters, DeadlinePassed, ImageNotFound, StoreAway
from gazecrop.metrics import Stages
from gazecrop.model import Model, Prediction
from gazecrop.picture import effort, memory
from gazecrop.picture.decode import Limits, Thumbnail, decode
from gazecrop.picture.probe import Header, inspect, inspect_quickly
from gazecrop.settings import Settings
from gazecrop.store.base import Record
from gazecrop.store.memory import MapCache
from gazecrop.store.slots import Found

T = TypeVar("T")

# Milliseconds that one query may take on the event loop. CPython switches threads every 5 ms, so moving less than that
# into a thread would not let other requests run earlier.
CHEAP = 5.0
SUBJECT = 2.0  # milliseconds to find the subject of a map
COSTLY_AT_ONCE, COSTLY_QUEUE = 2, 64  # costly queries in threads at once, and waiting for a thread


def limits_of(settings: Settings) -> Limits:
    """The limits of one picture, in pixels."""
    return Limits(
        pixels_jpeg=round(settings.max_megapixels_jpeg * 1e6),
        pixels=round(settings.max_megapixels * 1e6),
        scans=settings.max_jpeg_scans,
        pixels_animated=round(settings.max_megapixels_animated * 1e6),
    )


class Picture:
    """A decoded map with its cropper, as held in memory. Immutable; it holds no pixels."""

    ANSWER_BYTES = 6_000  # of a kept answer; the default one has 4.6 kB

    def __init__(self, record: Record, calibration: Calibration | None = None) -> None:
        """`calibration`: of the network that made the map; None when another network is loaded."""
        self.record = record
        self.cropper = Cropper(SaliencyGrid.from_code(record.code), calibration)
        self._calibration = calibration
        self._version: tuple[Focus | None, Profiles, str] | None = None  # the last one, and its focal points
        self._answer: tuple[str, str, bytes] | None = None  # the last document: version, query, its bytes

    @property
    def size(self) -> int:
        """Bytes of memory: 5 kB at first, 17 after an upload, more after a zoom or `balanced`."""
        return self.cropper.size + (0 if self._answer is None else sum(map(len, self._answer)))

    def answer(self, version: str, query: str) -> bytes | None:
        """The kept document, if it is the answer to this query at this version."""
        kept = self._answer
        return kept[2] if kept is not None and kept[:2] == (version, query) else None

    def keep_answer(self, version: str, query: str, document: bytes) -> None:
        """Keeps a document in place of the last one. A large one is not kept: the cache does not count it."""
        if len(query) + len(document) <= self.ANSWER_BYTES:
            self._answer = version, query, document

    @cached_property
    def digest(self) -> bytes:
        return blake3(self.record.pack() + _other_inputs(self._calibration)).digest(16)

    def version(self, focus: Focus | None, profiles: Profiles = ()) -> str:
        """Ten hexadecimal digits that change with the map, the network, the focus or this software, and only then."""
        kept = self._version
        if kept is None or kept[0] != focus or kept[1] != profiles:
            inputs = self.digest + (focus.pack() if focus else b"")
            for name, each in profiles:
                inputs += name.encode() + each.pack()
            kept = self._version = focus, profiles, blake3(inputs).hexdigest(5)
        return kept[2]


@lru_cache(maxsize=8)
def _other_inputs(calibration: Calibration | None) -> bytes:
    """What answers depend on beside the record. Its text takes as long as decoding a map."""
    return f"{__version__} {calibration}".encode()


class Known(NamedTuple):
    """A picture's map and focal points at the time of one request. `degraded`: the store did not answer."""

    id: str
    picture: Picture
    focus: Focus | None
    degraded: bool
    profiles: Profiles = ()

    @classmethod
    def of(cls, id: str, found: Found[Picture]) -> "Known":
        return cls(id, found.map, found.focus, found.degraded, found.profiles)

    def focus_for(self, profile: str | None) -> tuple[float, float] | None:
        """The focus of this profile, else the one for all."""
        own = of_profile(None, self.profiles, profile) if profile else None
        focus = own or self.focus
        return (focus.x, focus.y) if focus else None

    @property
    def version(self) -> str:
        return self.picture.version(self.focus, self.profiles)


class Pipeline:
    """Uploads and crops of one server."""

    def __init__(
        self,
        *,
        model: Model,
        limits: Limits,
        gate: Gate,
        decoders: ThreadPoolExecutor,
        batcher: Batcher[NDArray[np.uint8], Prediction],
        maps: MapCache[Picture],
    ) -> None:
        self._model = model
        self._limits = limits
        self._gate = gate
        self._decoders = decoders
        self._batcher = batcher
        self.maps = maps
        self._flights: Flights[tuple[Found[Picture], bool]] = Flights()
        self._costly = Gate(1, COSTLY_QUEUE, COSTLY_AT_ONCE)  # for work that decodes no pixels
        self._costly_threads = ThreadPoolExecutor(COSTLY_AT_ONCE, thread_name_prefix="costly")

    def close(self) -> None:
        """Waits for the threads that decode and crop; new work is refused with RuntimeError."""
        self._decoders.shutdown()
        self._costly_threads.shutdown()

    async def upload(
        self, id: str, data: bytes, stages: Stages, deadline: float | None
    ) -> tuple[Known, bool]:
        """The map of a picture, from the store or made now. The bool: it is new.

        `id`: the keyed hash of `data`. `deadline`: monotonic seconds after which no work is started.
        Raises PictureError, Overloaded, Draining, DeadlinePassed.
        """
        with stages.time("store"):
            found = await self._look_up(id)
        known = found is not None
        while found is None or found.record.model != self._model.name:
            try:
                (found, made), began = await self._flights.run(
                    id, lambda: self._make(id, data, stages, deadline)
                )
                known = known or not (began and made)
            except DeadlinePassed:
                if deadline is not None and time.monotonic() >= deadline:
                    raise
                # The deadline was that of the request that started the work; this one's is later.
        return Known.of(id, found), not known

    def find_in_memory(self, id: str) -> Known | None:
        """The map if it is fresh in memory and made by the loaded network. None: it may still be in the store."""
        found = self.maps.peek(id)
        return Known.of(id, found) if found and found.record.model == self._model.name else None

    async def _look_up(self, id: str) -> Found[Picture] | None:
        try:
            return await self.maps.get(id)
        except StoreAway:
            return None  # the map can be made again from the upload

    async def _make(
        self, id: str, data: bytes, stages: Stages, deadline: float | None
    ) -> tuple[Found[Picture], bool]:
        """The map, and whether it was made here: another upload of the same bytes may have stored it since it was
        looked up, and its flight be over."""
        found = self.maps.peek(id)
        if found is not None and found.record.model == self._model.name:
            return found, False
        record = await self.analyse(data, stages, deadline)
        with stages.time("store"):
            return await self.maps.put(id, record), True

    async def analyse(self, data: bytes, stages: Stages, deadline: float | None) -> Record:
        """bytes -> map. Stores nothing."""
        header = await self.header(data)
        self._limits.check(header)
        queued = time.perf_counter()
        done = await self._gate.run(
            self._decoders,
            lambda: self._in_thread(data, header, stages),
            memory.of_map(header, len(data)),
            deadline,
            cost=effort.of_map(header),
            started=lambda: stages.add("queue", time.perf_counter() - queued),
        )
        if isinstance(done, Record):
            return done
        with stages.time("infer"):  # frames of an animation share a batch
            found = await asyncio.gather(
                *(self._batcher.submit(pixels, key=pixels.shape, deadline=deadline) for pixels in done.frames)
            )
        return as_record(done, mean_of(done, found), self._model)

    async def header(self, data: bytes) -> Header:
        """What the file is, with the scale at which the network's input is decoded. Raises PictureError, Overloaded."""
        shapes = self._model.shapes
        found = inspect_quickly(data, shapes)
        return found if found is not None else await self.in_thread(lambda: inspect(data, shapes))

    def _in_thread(self, data: bytes, header: Header, stages: Stages) -> Record | Thumbnail:
        """Decodes; with batches of one picture, as on a CPU, also infers here and makes the record: a change of threads
        costs 0.2 ms, and the record would take as long of the event loop."""
        with stages.time("decode"):
            thumbnail = decode(data, self._limits, self._model.shapes, header)
        if thumbnail.flat:
            return as_record(thumbnail, None, self._model)
        if self._batcher.max_batch > 1:
            return thumbnail
        with stages.time("infer"):
            prediction = mean_of(thumbnail, [self._batcher.run(pixels) for pixels in thumbnail.frames])
        return as_record(thumbnail, prediction, self._model)

    async def find(self, id: str, stages: Stages) -> Known:
        """The stored map. Raises ImageNotFound, and StoreAway when the store does not answer."""
        found = self.maps.peek(id)
        if found is None:
            with stages.time("store"):
                found = await self.maps.get(id)
        if found is None:
            raise ImageNotFound(
                "No map is stored under this id: it was never made, or it was removed. Upload the picture again."
            )
        return Known.of(id, found)

    def crops(self, known: Known, wanted: Wanted) -> list[Crop]:
        """The crops, from the grid alone: about 50 µs each."""
        points = [known.focus_for(ratio.profile) for ratio in wanted.ratios]
        if None in points and wanted.options.policy == "focus":
            detail = "No person has set a focus for this picture"
            detail += " and each of these ratios." if known.profiles else "."
            raise BadParameters.one("policy", detail, fix="Use policy=auto.")
        return known.picture.cropper.crops(wanted.ratios, wanted.options, points)

    async def crops_aside(self, known: Known, wanted: Wanted) -> list[Crop]:
        """`crops`, with a costly query in a thread: 16 ratios with 25 constraints and 5 candidates take 0.06 to 0.25 s,
        which would block the event loop. Raises as `crops`, and Overloaded."""
        if wanted.options.plain or cost(wanted) <= CHEAP:
            return self.crops(known, wanted)
        return await self.in_thread(lambda: self.crops(known, wanted))

    async def in_thread(self, work: Callable[[], T]) -> T:
        """The result of work without pixels that would block the event loop. Raises Overloaded, and as `work`."""
        return await self._costly.run(self._costly_threads, work)


def image_document(known: Known, crops: list[Crop]) -> dict[str, Any]:
    """The document of a picture, as the API and the worker give it."""
    record = known.picture.record
    return answers.document(
        known.id,
        known.version,
        record.model,
        record.format,
        known.picture.cropper,
        known.focus,
        crops,
        orientation=record.orientation,
        profiles=known.profiles,
        frames=record.frames,
    )


def cost(wanted: Wanted) -> float:
    """Milliseconds that its crops take. A deliberate over-estimate, fitted to 14 query shapes: each constraint may have
    to be dropped by itself, and with a zoom each further candidate is a search in two dimensions."""
    options = wanted.options
    each = 0.08 + 0.13 * len(options.constraints)
    auto = options.auto_zoom is not None
    zoomed = options.zoom > 1 or auto
    each += options.candidates * 1.2 if zoomed else (options.candidates - 1) * 0.1
    each += len(options.overlays) * options.candidates * (1.5 if zoomed else 0.5)
    return len(wanted.ratios) * each + SUBJECT * auto


def analyse(data: bytes, model: Model, limits: Limits) -> Record:
    """bytes -> map without a server: for the command line, the audit and `import gazecrop`."""
    thumbnail = decode(data, limits, model.shapes)
    prediction = None
    if not thumbnail.flat:
        prediction = mean_of(thumbnail, [model.infer([pixels])[0] for pixels in thumbnail.frames])
    return as_record(thumbnail, prediction, model)


def mean_of(thumbnail: Thumbnail, predictions: Sequence[Prediction]) -> Prediction:
    """The prediction of a picture from those of its frames: the mean of the densities, the objects of all frames."""
    if len(predictions) == 1:
        return predictions[0]
    density = np.average([each.density for each in predictions], axis=0, weights=thumbnail.weights)
    return Prediction(density.astype(np.float32), merged(each.objects for each in predictions))


def as_record(thumbnail: Thumbnail, prediction: Prediction | None, model: Model) -> Record:
    """The network's outputs as a record. None (a picture of one flat colour), or outputs that have all of the density
    in the bars: the uniform map, without objects."""
    width, height, rotated, place = thumbnail.width, thumbnail.height, thumbnail.rotated, thumbnail.inside
    rows, columns = place.cells(model.grid_of(thumbnail.pixels.shape[:2]))
    if prediction is None or not prediction.density[rows, columns].any():
        down, across = rows.stop - rows.start, columns.stop - columns.start
        grid = SaliencyGrid.uniform(down, across, width, height, rotated=rotated)
    else:
        corner, size = (place.left, place.top), (place.width, place.height)
        parts = (each.part(corner, size, (place.columns, place.rows)) for each in prediction.objects)
        grid = SaliencyGrid.from_density(
            prediction.density[rows, columns],
            width,
            height,
            symmetry=model.symmetry_threshold,
            rotated=rotated,
            objects=[each for each in parts if each is not None],
        )
    return Record(model.name, thumbnail.format, grid.code, thumbnail.orientation, thumbnail.count)
