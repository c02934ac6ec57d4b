"""Lists the pictures of a library: a folder, pictures, a glob, tar files (WebDataset's), a CSV or Parquet list.
Folders, pictures and globs may be remote (remote.py)."""

import csv
import glob
import os
import sys
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gazecrop.console import remote
from gazecrop.console.files import is_picture, pictures_below

# The column of paths in a list: the first of these that it has.
COLUMNS = ("path", "file", "filename", "file_name", "image", "name")


class SourceError(Exception):
    """The source cannot be read as a whole. The text is for the user."""


@dataclass(frozen=True, slots=True)
class Item:
    """One picture: its name in the results, and the file or the part of a tar with its bytes."""

    name: str
    path: str
    offset: int = 0
    size: int = -1  # to the end

    def read(self) -> bytes:
        """Raises OSError, and NoRemote where this machine lacks what a remote file needs."""
        if remote.is_remote(self.path):
            return remote.read(self.path)
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) < self.size:
            raise OSError(f"{self.path} ends before the end of this picture")
        return data


def pictures_of(source: str, column: str | None = None) -> list[Item]:
    """Every picture once, in order. `column`: of the paths in a list. Raises SourceError."""
    try:
        items = list({item.name: item for item in _items(source, column)}.values())
    except remote.NoRemote as error:
        raise SourceError(str(error)) from None
    except (OSError, tarfile.TarError, csv.Error, UnicodeDecodeError) as error:
        raise SourceError(f"{source} cannot be read: {error}") from error
    if not items:
        raise SourceError(f"{source} has no pictures")
    return items


def pictures_of_all(sources: Sequence[str], column: str | None = None) -> list[Item]:
    """As `pictures_of`, of several sources. Pictures of their folders and tars are named with the path of these."""
    if len(sources) == 1:
        return pictures_of(sources[0], column)
    items: dict[str, Item] = {}
    for source in sources:
        for item in pictures_of(source, column):
            name = item.name
            if remote.is_remote(source):
                name = item.path
            elif os.path.isdir(source):
                name = os.path.join(source, name)
            elif item.size >= 0 and os.path.isfile(source):  # a part of a tar: its name begins with the tar's
                name = os.path.join(source, name.partition("/")[2])
            items.setdefault(name, replace(item, name=name))
    return list(items.values())


def _items(source: str, column: str | None) -> Iterable[Item]:
    if source == "-":
        names = (os.fsdecode(line).rstrip("\n") for line in sys.stdin.buffer)
        return (
            Item(name, name if remote.is_remote(name) else os.path.abspath(name)) for name in names if name
        )
    if remote.is_remote(source):
        return (Item(name, url) for name, url in remote.pictures_at(source))
    path = Path(source)
    if path.is_dir():
        return (Item(name, str(path.absolute() / name)) for name in pictures_below(path))
    if not path.exists() and glob.has_magic(source):
        found = sorted(name for name in glob.glob(source, recursive=True) if os.path.isfile(name))
        if all(name.endswith(".tar") for name in found):
            return (item for name in found for item in _tar(Path(name), name))
        return (Item(name, os.path.abspath(name)) for name in found if is_picture(name))
    match path.suffix.lower():
        case ".tar":
            return _tar(path, path.name)
        case ".csv":
            return _listed(path, _csv(path, column))
        case ".parquet":
            return _listed(path, _parquet(path, column))
    if not path.exists():
        raise SourceError(f"{source} does not exist")
    if is_picture(path.name):
        return [Item(source, os.path.abspath(source))]
    raise SourceError(f"{source} is neither a folder, a picture, a .tar, .csv or .parquet, nor a glob")


def _tar(path: Path, name: str) -> Iterator[Item]:
    """An uncompressed tar is read in place: here its headers, later each picture at its offset."""
    archive_path = str(path.absolute())
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.isreg() and is_picture(member.name):
                    yield Item(f"{name}/{member.name}", archive_path, member.offset_data, member.size)
    except tarfile.ReadError as error:
        raise SourceError(
            f"{path} is not a complete, uncompressed tar ({error}); decompress it first"
        ) from error


def _listed(source: Path, names: Iterable[str]) -> Iterator[Item]:
    """Paths in a list are relative to its folder."""
    folder = source.absolute().parent
    return (Item(name, name if remote.is_remote(name) else str(folder / name)) for name in names if name)


def _csv(path: Path, column: str | None) -> Iterator[str]:
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        table = csv.DictReader(file)
        column = _column(path, table.fieldnames or (), column)
        for line in table:
            yield line[column] or ""


def _parquet(path: Path, column: str | None) -> Iterator[str]:
    parquet = arrow().parquet
    with parquet.ParquetFile(path) as file:
        column = _column(path, file.schema_arrow.names, column)
        for batch in file.iter_batches(columns=[column]):
            for value in batch.column(0).to_pylist():
                yield os.fsdecode(value) if isinstance(value, bytes) else str(value or "")


def _column(path: Path, names: Iterable[str], chosen: str | None) -> str:
    known = list(names)
    for name in (chosen,) if chosen else COLUMNS:
        if name in known:
            return name
    has = f"{path} has the columns {', '.join(known) or '(none)'}"
    raise SourceError(f"{has}, not {chosen}" if chosen else f"{has}: name the one with the paths by --column")


def arrow() -> Any:
    """pyarrow, which only Parquet needs. Raises SourceError with the extra's name."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise SourceError("Parquet needs pyarrow: install the extra [parquet]") from None
    return pyarrow
