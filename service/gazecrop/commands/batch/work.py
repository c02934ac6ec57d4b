"""The work on each picture, in three stages: decode, infer, answer. They run in one process, or spread over a cluster.
A picture that fails becomes its JSON line (bytes), which later stages pass on."""

from collections.abc import Sequence
from dataclasses import dataclass

from gazecrop.console.files import Files
from gazecrop.console.rows import crops_of, failure, line, row
from gazecrop.console.sources import Item
from gazecrop.crop.confidence import Calibration
from gazecrop.crop.params import Wanted
from gazecrop.errors import PictureError
from gazecrop.model import Model, Pixels, Prediction
from gazecrop.picture.decode import Limits, Thumbnail, decode
from gazecrop.pipeline import Picture, as_record, limits_of, mean_of
from gazecrop.settings import Settings
from gazecrop.store.base import Record


@dataclass(frozen=True)
class Job:
    """The parameters of a worker. Picklable."""

    settings: Settings
    wanted: Wanted
    files: Files | None = None
    calibration: Calibration | None = None

    @property
    def limits(self) -> Limits:
        return limits_of(self.settings)


def decode_one(item: Item, job: Job, shapes: Sequence[tuple[int, int]]) -> Thumbnail | bytes:
    """Any error is the answer of this picture alone, an error of our own code included."""
    try:
        return decode(item.read(), job.limits, shapes)
    except Exception as error:
        return line(failure(item.name, error))


def infer(decoded: Sequence[Thumbnail | bytes], model: Model) -> list[Record | bytes]:
    """Runs the network on batches of one shape, of its largest batch size."""
    records: list[Record | bytes] = [each if isinstance(each, bytes) else b"" for each in decoded]
    shapes: dict[tuple[int, ...], list[tuple[int, Pixels]]] = {}
    for place, each in enumerate(decoded):
        if isinstance(each, Thumbnail) and each.flat:
            records[place] = as_record(each, None, model)
        elif isinstance(each, Thumbnail):
            shapes.setdefault(each.pixels.shape, []).extend((place, pixels) for pixels in each.frames)
    found: dict[int, list[Prediction]] = {}
    for alike in shapes.values():
        for start in range(0, len(alike), model.max_batch):
            batch = alike[start : start + model.max_batch]
            predictions = model.infer([pixels for _, pixels in batch])
            for (place, _), prediction in zip(batch, predictions, strict=True):
                found.setdefault(place, []).append(prediction)
    for place, of_frames in found.items():
        thumbnail = decoded[place]
        assert isinstance(thumbnail, Thumbnail)
        records[place] = as_record(thumbnail, mean_of(thumbnail, of_frames), model)
    return records


def answer(item: Item, record: Record | bytes, job: Job) -> bytes:
    """Writes the cropped files and gives the JSON line. Raises OSError when they cannot be written."""
    if isinstance(record, bytes):
        return record
    picture = Picture(record, job.calibration)
    crops = crops_of(picture, job.wanted)
    if job.files:
        try:
            data = item.read()  # again: from the page cache, instead of holding a unit's files in memory
        except OSError as error:
            return line(failure(item.name, error))
        try:
            job.files.write(item.name, data, crops, job.limits)
        except PictureError as error:
            return line(failure(item.name, error))
    return line(row(item.name, picture, crops))


def lines(items: Sequence[Item], job: Job, model: Model) -> list[bytes]:
    """All stages: one line for each picture, in order."""
    records = infer([decode_one(item, job, model.shapes) for item in items], model)
    return [answer(item, record, job) for item, record in zip(items, records, strict=True)]
