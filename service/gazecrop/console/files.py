"""Finds the pictures of a folder, and writes crops as files."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gazecrop.crop.cropping import Crop
from gazecrop.picture.animate import crop as render
from gazecrop.picture.decode import Limits

# In a folder only these are read, since it may also hold texts and side-cars. The format follows from the bytes.
_OWN = {
    "jpeg": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "png": {".png"},
    "webp": {".webp"},
    "avif": {".avif"},
    "gif": {".gif"},
}
SUFFIXES = {".mpo", ".bmp", ".dib", ".tif", ".tiff", ".heic", ".heif", ".hif"}.union(*_OWN.values())


def read_picture(path: str) -> bytes:
    """The bytes of a file; `-`: of the standard input. Raises OSError."""
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def is_picture(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def pictures_below(folder: str | Path) -> list[str]:
    """Pictures of a folder and those below it: paths relative to it, with slashes, in order."""
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inner = Path(parent).relative_to(folder)
        found += [(inner / name).as_posix() for name in files if is_picture(name)]
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Files:
    """How crops are written as files: `folder`/16x9/NAME, one folder for each ratio, NAME as in the results.
    `animated`: as `picture.animate.crop` takes it."""

    folder: Path
    format: str = "jpeg"
    width: int | None = None
    height: int | None = None
    quality: int | None = None
    animated: bool | None = None

    def path(self, name: str, ratio: str) -> Path:
        """`name`: the picture's. For any name the path is below `folder`."""
        parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", ".")]
        inner = PurePosixPath(*("_" if part == ".." else part.replace(":", "_") for part in parts))
        if inner.suffix.lower() not in _OWN[self.format]:  # cat.png beside cat.jpg: cat.png.jpg
            inner = inner.with_name(f"{inner.name}.{'jpg' if self.format == 'jpeg' else self.format}")
        return self.folder / ratio.replace(":", "x") / inner

    def write(self, name: str, data: bytes, crops: Iterable[Crop], limits: Limits) -> None:
        """Writes each file atomically. Raises PictureError, OSError."""
        for crop in crops:
            path = self.path(name, crop.ratio.text)
            file = render(
                data,
                crop.box,
                width=self.width,
                height=self.height,
                format=self.format,
                quality=self.quality,
                animated=self.animated,
                limits=limits,
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}.part")
            unfinished.write_bytes(file)
            unfinished.replace(path)
