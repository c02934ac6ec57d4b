"""Labelled pictures of people, from a CSV and its pictures or from a WebDataset tar (KEY.jpg, KEY.json)."""

import csv
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from PIL import Image

from gazecrop.console.sources import Item, SourceError, pictures_of
from gazecrop.errors import PictureError
from gazecrop.picture.colour import on_white
from gazecrop.picture.probe import inspect
from gazecrop.picture.render import cut

LONG_SIDE = 400  # pixels: a join of two is still larger than the network's 320
BACKGROUND = (255, 255, 255)  # between and around pictures, as in the paper's joins

Box = tuple[float, float, float, float]  # x, y, width, height: fractions of the upright picture


@dataclass(frozen=True, slots=True)
class Person:
    """One picture of one person. `who`: the person's identifier, the unit of the bootstrap, so that two pictures of one
    person are not independent. `set`: the source; pictures of two sets are never paired. `labels`: annotations by
    others. `digest`: of the file's bytes, part of the cache keys."""

    item: Item
    who: str
    set: str
    labels: Mapping[str, str]
    face: Box | None = None
    digest: bytes = b""

    @property
    def name(self) -> str:
        return self.item.name


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture ready for joining: RGB, at most LONG_SIDE; `face` in fractions of it."""

    picture: Image.Image = field(repr=False)
    face: Box | None = None


def read_people(source: Path, folder: Path | None = None) -> list[Person]:
    """All people of a .csv (columns: file; optionally who, set, face_x, face_y, face_w, face_h; every other column is a
    label) or of a .tar. `folder`: of the files of a CSV, its own folder by default. Raises SourceError."""
    found = list(_tar(source) if source.suffix.lower() == ".tar" else _table(source, folder or source.parent))
    if not found:
        raise SourceError(f"{source} names no pictures of people")
    return found


def _tar(source: Path) -> Iterator[Person]:
    about: dict[str, Any] = {}
    items = {item.name: item for item in pictures_of(str(source))}
    with tarfile.open(source, "r:") as archive:
        for member in archive:
            if member.isreg() and member.name.endswith(".json"):
                file = archive.extractfile(member)
                assert file is not None  # it is a regular file
                about[member.name.removesuffix(".json")] = json.load(file)
    for item in items.values():
        key = item.name.partition("/")[2].rpartition(".")[0]
        fields = about.get(key)
        if fields is None:
            raise SourceError(f"{source}: {key} has no .json beside it")
        # As in all WebDataset tars made for this project, the first part of a key names the set.
        yield _person(item, {"set": key.partition("_")[0], **fields})


def _table(source: Path, folder: Path) -> Iterator[Person]:
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                if not row.get("file"):
                    raise SourceError(f"{source} has no column `file`, or a line without one")
                yield _person(Item(row["file"], str((folder / row["file"]).absolute())), row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{source} cannot be read: {error}") from error


def _person(item: Item, fields: Mapping[str, Any]) -> Person:
    own = {"file", "who", "set", "face", "face_x", "face_y", "face_w", "face_h"}
    labels = {
        name: str(value) for name, value in fields.items() if name not in own and value not in (None, "")
    }
    face = fields.get("face") or [fields.get(f"face_{side}") for side in "xywh"]
    box = None if None in face or "" in face else tuple(float(value) for value in face)
    if box is not None and (
        len(box) != 4 or min(box) < 0 or box[0] + box[2] > 1.001 or box[1] + box[3] > 1.001
    ):
        raise SourceError(
            f"{item.name}: a face is x, y, width, height in fractions of the picture, not {face}"
        )
    return Person(item, str(fields.get("who") or item.name), str(fields.get("set") or ""), labels, box)


def with_digest(person: Person) -> Person:
    """The same person with the hash of the file's bytes. Raises OSError."""
    return replace(person, digest=blake3(person.item.read()).digest(16))


def load_portrait(person: Person, room: float = 0.0) -> Portrait:
    """The upright picture. `room`: a margin of background on each side, as a fraction of the picture's sides, for bare
    face chips. Raises OSError, PictureError."""
    data = person.item.read()
    header = inspect(data)
    scale = min(1.0, LONG_SIDE / max(header.width, header.height))
    size = max(1, round(header.width * scale)), max(1, round(header.height * scale))
    cropped = cut(data, header, (0, 0, header.width, header.height), size).picture
    picture = on_white(cropped) if cropped.mode in ("LA", "RGBA") else cropped.convert("RGB")
    return with_room(Portrait(picture, person.face), room)


def with_room(portrait: Portrait, room: float) -> Portrait:
    """Adds the margin that `load_portrait` describes."""
    if not room:
        return portrait
    width, height = portrait.picture.size
    wide, high = round(width * (1 + 2 * room)), round(height * (1 + 2 * room))
    left, top = (wide - width) // 2, (high - height) // 2
    sheet = Image.new("RGB", (wide, high), BACKGROUND)
    sheet.paste(portrait.picture, (left, top))
    if portrait.face is None:
        return Portrait(sheet)
    x, y, w, h = portrait.face
    face = (x * width + left) / wide, (y * height + top) / high, w * width / wide, h * height / high
    return Portrait(sheet, face)


def as_bytes(picture: Image.Image) -> bytes:
    """A BMP: lossless and fast to write, the input of the served pipeline."""
    file = BytesIO()
    picture.save(file, "BMP")
    return file.getvalue()


def readable(people: list[Person]) -> tuple[list[Person], list[str]]:
    """The people whose picture can be read, with its digest, and the names of the unreadable pictures."""
    good, bad = [], []
    for person in people:
        try:
            load_portrait(person)
            good.append(with_digest(person))
        except (OSError, PictureError):
            bad.append(person.name)
    return good, bad


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, dtype=np.uint8)
